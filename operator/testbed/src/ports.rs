//! Free TCP ports on loopback.

use std::net::{Ipv4Addr, TcpListener};

use anyhow::{Context, Result};

/// Ports that nobody listened on a moment ago, all different.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ports {
    pub(crate) etcd_client: u16,
    pub(crate) etcd_peer: u16,
    pub(crate) api_server: u16,
}

pub(crate) fn free() -> Result<Ports> {
    // Held together, or the system may give one out twice.
    let held = [listen()?, listen()?, listen()?];
    let mut ports = [0; 3];
    for (port, listener) in ports.iter_mut().zip(&held) {
        *port = listener.local_addr().context("asking for the port")?.port();
    }
    let [etcd_client, etcd_peer, api_server] = ports;
    Ok(Ports {
        etcd_client,
        etcd_peer,
        api_server,
    })
}

fn listen() -> Result<TcpListener> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("looking for a free port")
}
