//! Slots: stable positions in the fleet, and the names of the pods that fill them.

use std::fmt;
use std::str::FromStr;

use sha2::{Digest, Sha256};

/// What a pod does. The order is the order of creation; removal goes the other way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Selective forwarding unit: takes the presenters' media.
    Sfu,
    /// A relay whose clients are relays.
    Mid,
    /// A relay that viewers connect to.
    Relay,
}

impl Role {
    /// Every role in order of creation.
    pub const ALL: [Self; 3] = [Self::Sfu, Self::Mid, Self::Relay];

    /// The role as written in labels and status.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sfu => "sfu",
            Self::Mid => "mid",
            Self::Relay => "relay",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A position in the fleet. The pod in it may be replaced; the slot stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Slot {
    /// What the pod in it does.
    pub role: Role,
    /// Position within the role, from 0.
    pub index: u32,
}

impl Slot {
    /// The slot `index` of `role`.
    pub const fn new(role: Role, index: u32) -> Self {
        Self { role, index }
    }
}

impl fmt::Display for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.role, self.index)
    }
}

impl FromStr for Slot {
    type Err = ();

    /// Reads `relay-17`; anything that [`Slot`]'s own `Display` would not have written is refused.
    fn from_str(s: &str) -> Result<Self, ()> {
        let (role, index) = s.split_once('-').ok_or(())?;
        let role = Role::ALL.into_iter().find(|r| r.as_str() == role).ok_or(())?;
        let slot = Self::new(role, index.parse().map_err(|_| ())?);
        if slot.to_string() == s { Ok(slot) } else { Err(()) }
    }
}

/// Five characters that name the pod in a slot.
///
/// The first 25 bits of SHA-256 over `webinar UID/run/slot/UID of the pod it replaces, or empty`, in
/// the alphabet a–z2–7: the same decision made twice yields the same name, so a repeated create is
/// answered by `AlreadyExists` instead of a second pod.
pub fn incarnation(webinar_uid: &str, run: u32, slot: Slot, replaces: Option<&str>) -> String {
    const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
    let text = format!("{webinar_uid}/{run}/{slot}/{}", replaces.unwrap_or_default());
    let hash = Sha256::digest(text.as_bytes());
    let bits = u32::from_be_bytes([hash[0], hash[1], hash[2], hash[3]]);
    (0..5)
        .map(|i| char::from(ALPHABET[(bits >> (27 - 5 * i)) as usize & 31]))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_read_back_what_they_write() {
        for role in Role::ALL {
            let slot = Slot::new(role, 231);
            assert_eq!(slot.to_string().parse(), Ok(slot));
        }
        for bad in [
            "relay",
            "relay-",
            "relay-01",
            "relay-+1",
            "Relay-1",
            "relay-1-2",
            "edge-1",
            "",
        ] {
            assert_eq!(bad.parse::<Slot>(), Err(()), "{bad}");
        }
    }

    #[test]
    fn names_are_stable_and_differ_by_every_part() {
        let slot = Slot::new(Role::Relay, 17);
        let first = incarnation("uid", 1, slot, None);
        assert_eq!(first, incarnation("uid", 1, slot, None));
        assert_eq!(first.len(), 5);
        assert!(
            first
                .bytes()
                .all(|b| b.is_ascii_lowercase() || (b'2'..=b'7').contains(&b))
        );
        let others = [
            incarnation("uid2", 1, slot, None),
            incarnation("uid", 2, slot, None),
            incarnation("uid", 1, Slot::new(Role::Relay, 18), None),
            incarnation("uid", 1, slot, Some("pod")),
        ];
        assert!(others.iter().all(|o| *o != first));
    }
}
