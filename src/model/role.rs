//! Which part a director plays in a pair.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What a director does with the kernel's table.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Keeps it as the files and the real servers say.
    #[default]
    Active,
    /// Keeps its own services out of it, and checks the real servers all the same: the first
    /// table it writes when it becomes active is already right.
    Standby,
}

impl Role {
    /// Both words, as they are written everywhere.
    pub const WORDS: [&str; 2] = ["active", "standby"];

    /// The role of this word.
    pub fn named(word: &str) -> Option<Role> {
        match word {
            "active" => Some(Role::Active),
            "standby" => Some(Role::Standby),
            _ => None,
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Role::Active => "active",
            Role::Standby => "standby",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_is_named_as_it_prints() {
        let roles = [Role::Active, Role::Standby];
        assert_eq!(roles.map(|role| role.to_string()), Role::WORDS);
        assert_eq!(Role::WORDS.map(Role::named), roles.map(Some));
        assert_eq!(Role::named("Active"), None);
    }
}
