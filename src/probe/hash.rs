//! MD5, which old protocols show passwords by: their choice, not ours.

use md5::{Digest, Md5};

/// Of the parts, one behind the other.
pub(super) fn md5(parts: &[&[u8]]) -> [u8; 16] {
    let mut hash = Md5::new();
    parts.iter().for_each(|part| hash.update(part));
    hash.finalize().into()
}

/// RFC 2104 over MD5.
pub(super) fn hmac_md5(key: &[u8], text: &[u8]) -> [u8; 16] {
    let mut block = [0; 64];
    match key.len() {
        0..=64 => block[..key.len()].copy_from_slice(key),
        _ => block[..16].copy_from_slice(&md5(&[key])),
    }
    let inner = md5(&[&block.map(|byte| byte ^ 0x36), text]);
    md5(&[&block.map(|byte| byte ^ 0x5c), &inner])
}

/// Small letters, two for each byte.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digests_are_those_of_rfc_2202() {
        let proof = hex(&hmac_md5(&[0x0b; 16], b"Hi There"));
        assert_eq!(proof, "9294727a3638bb1c13f48ef8158bfc9d");
        let text = b"Test Using Larger Than Block-Size Key - Hash Key First";
        assert_eq!(hex(&hmac_md5(&[0xaa; 80], text)), "6b1ab7fe4bd7bf8f0b62e6ce61b9d0cd");
    }
}
