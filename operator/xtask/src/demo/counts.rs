//! Pods by role, and numbers for people.

use std::fmt;

use webinar_api::Role;

/// In the order of the tree.
pub(super) const ROLES: [Role; 3] = [Role::Sfu, Role::Mid, Role::Relay];

/// Pods by role.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) sfu: usize,
    pub(super) mid: usize,
    pub(super) relay: usize,
}

impl Counts {
    /// The count of one role.
    pub(super) fn of(self, role: Role) -> usize {
        match role {
            Role::Sfu => self.sfu,
            Role::Mid => self.mid,
            Role::Relay => self.relay,
        }
    }

    /// All roles together.
    pub(super) fn total(self) -> usize {
        self.sfu + self.mid + self.relay
    }

    /// The roles that there are, in the order of the tree.
    pub(super) fn roles(self) -> impl Iterator<Item = Role> {
        ROLES.into_iter().filter(move |role| self.of(*role) > 0)
    }
}

/// As people read it: `3 SFUs, 27 mids, 1,212 relays`.
impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, role) in self.roles().enumerate() {
            let name = match role {
                Role::Sfu => "SFU",
                Role::Mid => "mid",
                Role::Relay => "relay",
            };
            let (comma, plural) = (
                if i > 0 { ", " } else { "" },
                if self.of(role) > 1 { "s" } else { "" },
            );
            write!(f, "{comma}{} {name}{plural}", grouped(self.of(role)))?;
        }
        Ok(())
    }
}

/// With commas between the thousands.
pub(super) fn grouped(number: usize) -> String {
    webinar_plan::grouped(number as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_readable() {
        let counts = Counts {
            sfu: 1,
            mid: 0,
            relay: 1212,
        };
        assert_eq!(counts.to_string(), "1 SFU, 1,212 relays");
    }
}
