//! Free TCP ports on loopback.

use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::net::{Ipv4Addr, TcpListener};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Context, Result, bail};

/// Below what systems give to outgoing connections by themselves (from 32768 on Linux, from 49152 elsewhere). A port of
/// those, free a moment ago, may be taken by any connection before the server that it is meant for listens on it.
const RANGE: std::ops::Range<u64> = 20_000..32_000;

/// Ports of a range that are in use at worst.
const TRIES: usize = 1_000;

/// Begins anywhere, so that processes that start together don't meet, and gives no port out twice in a row.
static NEXT: LazyLock<AtomicU64> =
    LazyLock::new(|| AtomicU64::new(RandomState::new().build_hasher().finish() / 2));

/// Ports that nobody listened on a moment ago, all different.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ports {
    pub(crate) etcd_client: u16,
    pub(crate) etcd_peer: u16,
    pub(crate) api_server: u16,
}

pub(crate) fn free() -> Result<Ports> {
    Ok(Ports {
        etcd_client: free_port()?,
        etcd_peer: free_port()?,
        api_server: free_port()?,
    })
}

/// A port on 127.0.0.1 that nobody listened on a moment ago, and that no outgoing connection will take.
///
/// # Errors
/// When a thousand ports in a row are in use.
pub fn free_port() -> Result<u16> {
    for _ in 0..TRIES {
        let turn = NEXT.fetch_add(1, Ordering::Relaxed) % (RANGE.end - RANGE.start);
        let port = u16::try_from(RANGE.start + turn).context("a port")?;
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return Ok(port);
        }
    }
    bail!(
        "none of {TRIES} ports between {} and {} is free",
        RANGE.start,
        RANGE.end
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One test, because both halves move the one counter.
    #[test]
    fn ports_are_different_out_of_the_way_of_connections_and_not_in_use() {
        let ports: std::collections::BTreeSet<u16> = (0..50).map(|_| free_port().expect("a port")).collect();
        assert_eq!(ports.len(), 50);
        assert!(ports.iter().all(|p| RANGE.contains(&u64::from(*p))));

        let taken = free_port().expect("a port");
        let _held = TcpListener::bind((Ipv4Addr::LOCALHOST, taken)).expect("a free port");
        NEXT.store(u64::from(taken) - RANGE.start, Ordering::Relaxed);
        assert_ne!(free_port().expect("a port"), taken);
    }
}
