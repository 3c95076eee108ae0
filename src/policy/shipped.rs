//! The policies that are part of the program, and the template that documents every key.
//!
//! They are the files in `policies/` as they stand, comments and all: `policy show` prints what one
//! would copy.

use super::{Policy, file};

/// A policy that is part of the program.
#[derive(Clone, Copy, Debug)]
pub struct Shipped {
    /// What the configuration calls it.
    name: &'static str,
    /// The file.
    text: &'static str,
}

/// Every shipped policy, the default first and the rest in the order of the documentation.
const SHIPPED: [Shipped; 6] = [
    Shipped {
        name: "ncsc",
        text: include_str!("../../policies/ncsc.toml"),
    },
    Shipped {
        name: "rfc7671",
        text: include_str!("../../policies/rfc7671.toml"),
    },
    Shipped {
        name: "dane-ee",
        text: include_str!("../../policies/dane-ee.toml"),
    },
    Shipped {
        name: "current-next",
        text: include_str!("../../policies/current-next.toml"),
    },
    Shipped {
        name: "dane-ta",
        text: include_str!("../../policies/dane-ta.toml"),
    },
    Shipped {
        name: "key-reuse",
        text: include_str!("../../policies/key-reuse.toml"),
    },
];

/// The file that documents every key, with its default and the reason for it.
pub const TEMPLATE: &str = include_str!("../../policies/template.toml");

impl Shipped {
    /// What the configuration calls it.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// The file, as `policy show` prints it.
    pub fn text(&self) -> &'static str {
        self.text
    }

    /// What the file means.
    pub fn policy(&self) -> Policy {
        file::parse(self.text, self.name).expect("a test reads each shipped policy")
    }
}

/// Every shipped policy, the default first.
pub fn list() -> &'static [Shipped] {
    &SHIPPED
}

/// The names of the shipped policies.
pub fn names() -> impl Iterator<Item = &'static str> {
    SHIPPED.iter().map(Shipped::name)
}

/// The shipped policy of this name.
pub fn by_name(name: &str) -> Option<Policy> {
    text(name).map(|shipped| shipped.policy())
}

/// The file of the shipped policy of this name.
pub fn text(name: &str) -> Option<&'static Shipped> {
    SHIPPED.iter().find(|shipped| shipped.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_shipped_policy_is_one_and_has_its_name() {
        for shipped in list() {
            let policy = shipped.policy();
            assert_eq!(policy.name, shipped.name());
            assert!(!policy.description.is_empty());
            assert_eq!(by_name(shipped.name()), Some(policy));
        }
        assert_eq!(by_name("nscs"), None);
    }

    #[test]
    fn shipped_policies_keep_the_defaults_they_do_not_write() {
        let default = by_name("ncsc").unwrap();
        for shipped in list() {
            let policy = shipped.policy();
            assert_eq!(policy.timing, default.timing, "{}", shipped.name());
            assert_eq!(policy.retry, default.retry);
            assert_eq!(policy.before_expiry, default.before_expiry);
        }
    }
}
