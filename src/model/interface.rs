//! Names of network interfaces.

use std::fmt;
use std::sync::Arc;

/// The name of a network interface, as the kernel would take it: 1 to 15 bytes.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct InterfaceName(Arc<str>);

/// Why a text cannot be an [`InterfaceName`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct InterfaceNameError;

impl fmt::Display for InterfaceNameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an interface has a name of 1 to 15 characters without blanks, \"/\" and \":\"")
    }
}

impl std::error::Error for InterfaceNameError {}

impl InterfaceName {
    /// IFNAMSIZ less the terminating NUL.
    pub const MAX_LEN: usize = 15;

    /// The name, if the kernel would take it (its `dev_valid_name`) and it can stand in a log line.
    pub fn new(name: &str) -> Result<InterfaceName, InterfaceNameError> {
        let fits = (1..=Self::MAX_LEN).contains(&name.len());
        let dots = name == "." || name == "..";
        let clean =
            |c: char| !c.is_whitespace() && !c.is_control() && !matches!(c, '/' | ':' | '"');
        match fits && !dots && name.chars().all(clean) {
            true => Ok(InterfaceName(name.into())),
            false => Err(InterfaceNameError),
        }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for InterfaceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interface_has_a_name_the_kernel_takes() {
        for name in ["eth0", "eth0.100", "br-lan", "123456789012345"] {
            assert_eq!(InterfaceName::new(name).unwrap().as_str(), name);
        }
        for name in ["", ".", "..", "eth 0", "a/b", "eth0:1", "1234567890123456"] {
            assert!(InterfaceName::new(name).is_err(), "{name}");
        }
    }
}
