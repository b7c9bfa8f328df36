//! What this host calls itself.
//!
//! ldirectord has two names for it, and so have we, for both are what people see and filter by.
//! What its checks say of themselves (the user of `sip`, the password of `ftp`) is by its own
//! `$HOSTNAME`: the variable of the environment, or uname's node name where there is none. Its
//! mail (sender, and the line `ldirectord host:`) is by Perl's `Sys::Hostname`, which asks the
//! system and no variable.

/// The name in what checks say: the variable `HOSTNAME`, else the system's. It can always stand
/// behind the `@` of an address.
pub fn of_checks() -> String {
    first([std::env::var("HOSTNAME").ok(), system()])
}

/// The name in mail: the system's alone. It can always stand behind the `@` of an address.
pub fn of_mail() -> String {
    first([system()])
}

fn system() -> Option<String> {
    nix::unistd::gethostname().ok()?.into_string().ok()
}

/// The first name that can be said.
fn first<const N: usize>(names: [Option<String>; N]) -> String {
    let mut known = names.into_iter().flatten();
    known.find(|name| is_node(name)).unwrap_or_else(|| "localhost".to_owned())
}

/// Whether it can stand behind the `@` of an address.
fn is_node(name: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._".contains(&b);
    (1..=253).contains(&name.len()) && name.bytes().all(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_has_a_name_that_can_be_said() {
        assert!(is_node(&of_checks()) && is_node(&of_mail()));
        assert!(is_node("lvs-1.example.com") && is_node("lvs_1"));
        assert!(!is_node("") && !is_node("a b") && !is_node("a\r\nQUIT") && !is_node("a<b"));
    }

    #[test]
    fn the_first_name_that_can_be_said_counts() {
        let name = |text: &str| Some(text.to_owned());
        assert_eq!(first([name("lvs1.example.com"), name("lvs1")]), "lvs1.example.com");
        assert_eq!(first([None, name("lvs1")]), "lvs1");
        assert_eq!(first([name("a b"), name("lvs1")]), "lvs1");
        assert_eq!(first([name(""), None]), "localhost");
    }
}
