//! Single words as values: numbers, durations, sizes, masks, status codes.
//!
//! Every function takes the text of one scalar and answers `None` when it is something else;
//! bounds are the caller's business.

use std::net::Ipv4Addr;
use std::ops::RangeInclusive;
use std::time::Duration;

/// A whole number: decimal, or `0x1f` and `0o17` as YAML writes them.
pub(super) fn integer(text: &str) -> Option<u64> {
    let (digits, radix) = match (text.strip_prefix("0x"), text.strip_prefix("0o")) {
        (Some(digits), _) => (digits, 16),
        (_, Some(digits)) => (digits, 8),
        _ => (text, 10),
    };
    // The standard parser takes a sign, which is no digit.
    let digits_only = digits.chars().all(|c| c.is_ascii_alphanumeric());
    u64::from_str_radix(digits, radix).ok().filter(|_| digits_only)
}

/// `500ms`, `10s`, `1m30s`, `2h`, `1d`: numbers each with its unit, larger units first.
pub fn duration(text: &str) -> Option<Duration> {
    const UNITS: [(&str, u64); 5] =
        [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)];
    let mut rest = text;
    let mut units = UNITS.iter();
    let mut total = 0u64;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit())?;
        let (number, tail) = rest.split_at(digits);
        let end = tail.find(|c: char| c.is_ascii_digit()).unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(end);
        // The iterator goes on from the last unit, so no unit comes twice or out of order.
        let (_, ms) = units.find(|(name, _)| *name == unit)?;
        let number: u64 = number.parse().ok()?;
        total = total.checked_add(number.checked_mul(*ms)?)?;
        rest = tail;
    }
    (!text.is_empty()).then(|| Duration::from_millis(total))
}

/// A duration as [`duration`] reads it.
pub(super) fn duration_text(duration: Duration) -> String {
    let ms = duration.as_millis();
    match ms {
        0 => "0s".into(),
        _ if ms.is_multiple_of(86_400_000) => format!("{}d", ms / 86_400_000),
        _ if ms.is_multiple_of(60_000) => format!("{}m", ms / 60_000),
        _ if ms.is_multiple_of(1000) => format!("{}s", ms / 1000),
        _ => format!("{ms}ms"),
    }
}

/// A number of bytes: `4096`, `64KiB`, `1MiB`, `10kB`.
pub(super) fn size(text: &str) -> Option<u64> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let scale = match unit {
        "" | "B" => 1,
        "kB" | "KB" => 1000,
        "MB" => 1_000_000,
        "KiB" | "K" | "k" => 1 << 10,
        "MiB" | "M" => 1 << 20,
        "GiB" | "G" => 1 << 30,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(scale)
}

/// `20%`, `20`.
pub(super) fn percent(text: &str) -> Option<u8> {
    let number = text.strip_suffix('%').unwrap_or(text).trim_end();
    integer(number).and_then(|number| u8::try_from(number).ok()).filter(|number| *number <= 100)
}

/// How a netmask was written. Whether it fits is known only with the service's family.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Mask {
    /// `255.255.255.0`
    Quad(Ipv4Addr),
    /// `24`, `/24`
    Prefix(u8),
}

/// A dotted quad without holes, or a prefix length from 1 to 128.
pub(super) fn netmask(text: &str) -> Option<Mask> {
    if let Ok(quad) = text.parse::<Ipv4Addr>() {
        let bits = quad.to_bits();
        return (bits.leading_ones() == bits.count_ones()).then_some(Mask::Quad(quad));
    }
    let length = integer(text.strip_prefix('/').unwrap_or(text))?;
    u8::try_from(length).ok().filter(|length| (1..=128).contains(length)).map(Mask::Prefix)
}

/// `204`, `200-299`, `200, 301-302`.
pub(super) fn status(text: &str) -> Option<Vec<RangeInclusive<u16>>> {
    let range = |part: &str| {
        let code = |code: &str| integer(code.trim()).and_then(|code| u16::try_from(code).ok());
        match part.split_once('-') {
            Some((from, to)) => Some(code(from)?..=code(to)?),
            None => code(part).map(|code| code..=code),
        }
    };
    // Sixty-four ranges are more than there are codes in use; the rest is not looked at.
    let parts = text.split(',');
    if parts.clone().nth(64).is_some() {
        return None;
    }
    parts.map(range).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_need_units_in_falling_order() {
        let ms = |text| duration(text).map(|d| d.as_millis());
        assert_eq!(ms("500ms"), Some(500));
        assert_eq!(ms("10s"), Some(10_000));
        assert_eq!(ms("1m30s"), Some(90_000));
        assert_eq!(ms("1d2h3m4s5ms"), Some(93_784_005));
        for wrong in [
            "",
            "10",
            "s",
            "10 s",
            "1s1m",
            "1s1s",
            "-1s",
            "1.5s",
            "10sec",
            "1é",
            "99999999999999999999s",
            "9999999999999999d",
        ] {
            assert_eq!(ms(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn durations_print_as_they_are_read() {
        for text in ["0s", "1ms", "1500ms", "5s", "90s", "2m", "1d"] {
            assert_eq!(duration(text).map(duration_text).as_deref(), Some(text));
        }
    }

    #[test]
    fn numbers_take_no_signs_and_no_blanks() {
        assert_eq!(integer("0x10"), Some(16));
        assert_eq!(integer("0o17"), Some(15));
        assert_eq!(integer("08"), Some(8));
        for wrong in
            ["", "+1", "-1", "0x", "0x+1", "1 ", "1_000", "1e3", "1.0", "18446744073709551616"]
        {
            assert_eq!(integer(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn sizes_take_binary_and_decimal_units() {
        assert_eq!(size("4096"), Some(4096));
        assert_eq!(size("64KiB"), Some(65_536));
        assert_eq!(size("1MiB"), Some(1 << 20));
        assert_eq!(size("10kB"), Some(10_000));
        for wrong in
            ["", "KiB", "1 KiB", "1kib", "-1", "99999999999999999999G", "18446744073709551615K"]
        {
            assert_eq!(size(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn masks_have_no_holes() {
        assert_eq!(netmask("255.255.255.0"), Some(Mask::Quad(Ipv4Addr::new(255, 255, 255, 0))));
        assert_eq!(netmask("64"), Some(Mask::Prefix(64)));
        assert_eq!(netmask("/24"), Some(Mask::Prefix(24)));
        for wrong in ["255.0.255.0", "0", "129", "255.255.255", "0.0.0.255", "ffff::"] {
            assert_eq!(netmask(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn percents_end_at_a_hundred() {
        assert_eq!(
            (percent("20%"), percent("20"), percent("100 %")),
            (Some(20), Some(20), Some(100))
        );
        assert_eq!((percent("101%"), percent("%"), percent("-1%")), (None, None, None));
    }
}
