//! WHEP addresses: where viewers ask for a stream.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::str::FromStr;

use anyhow::{Context, Result, anyhow, ensure};
use http::Uri;

/// A WHEP URL such as `http://10.96.3.4:8889/stage/whep`: plain HTTP to an IP address or `localhost`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    server: SocketAddr,
    authority: String,
    path: String,
}

impl Endpoint {
    /// Where the server listens.
    pub(crate) fn server(&self) -> SocketAddr {
        self.server
    }

    /// Host and port as written in the URL.
    pub(crate) fn authority(&self) -> &str {
        &self.authority
    }

    /// Path and query.
    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    /// The local address from which the server is reached.
    ///
    /// # Errors
    /// When there is no route to the server.
    pub(crate) fn local_ip(&self) -> Result<IpAddr> {
        let any = if self.server.is_ipv4() {
            "0.0.0.0:0"
        } else {
            "[::]:0"
        };
        // Connecting a UDP socket sends nothing, it only looks up the route.
        let route = || -> std::io::Result<IpAddr> {
            let socket = UdpSocket::bind(any)?;
            socket.connect(self.server)?;
            Ok(socket.local_addr()?.ip())
        };
        route().with_context(|| format!("looking for a way to {}", self.server))
    }

    /// The path that a `Location` header of this server's answer means.
    ///
    /// # Errors
    /// When it is no URL, or one of another server.
    pub(crate) fn resolve(&self, location: &str) -> Result<String> {
        let uri: Uri = location
            .parse()
            .with_context(|| format!("the location {location:?} is no URL"))?;
        if let Some(authority) = uri.authority() {
            ensure!(
                authority.as_str() == self.authority,
                "the location {location:?} is on another server than {}",
                self.authority
            );
        }
        let path = uri
            .path_and_query()
            .with_context(|| format!("the location {location:?} has no path"))?
            .as_str();
        Ok(path.to_owned())
    }
}

impl FromStr for Endpoint {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self> {
        let uri: Uri = text.parse().with_context(|| format!("{text:?} is no URL"))?;
        ensure!(uri.scheme_str() == Some("http"), "{text} is not plain HTTP");
        let authority = uri.authority().with_context(|| format!("{text} names no host"))?;
        let ip = match authority.host() {
            "localhost" => IpAddr::V4(Ipv4Addr::LOCALHOST),
            host => host
                .trim_matches(['[', ']'])
                .parse()
                .map_err(|_| anyhow!("the host of {text} is neither an IP address nor localhost"))?,
        };
        Ok(Self {
            server: SocketAddr::new(ip, authority.port_u16().unwrap_or(80)),
            authority: authority.to_string(),
            path: uri
                .path_and_query()
                .map_or("/", http::uri::PathAndQuery::as_str)
                .to_owned(),
        })
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "http://{}{}", self.authority, self.path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoint(text: &str) -> Endpoint {
        text.parse().expect("an endpoint")
    }

    fn refusal(text: &str) -> String {
        format!("{:#}", text.parse::<Endpoint>().expect_err("refused"))
    }

    #[test]
    fn urls_are_taken_apart() {
        let plain = endpoint("http://10.96.3.4:8889/stage/whep?token=a");
        assert_eq!(plain.server(), SocketAddr::from(([10, 96, 3, 4], 8889)));
        assert_eq!(plain.path(), "/stage/whep?token=a");
        assert_eq!(plain.to_string(), "http://10.96.3.4:8889/stage/whep?token=a");
        assert_eq!(
            endpoint("http://localhost/whep").server(),
            SocketAddr::from(([127, 0, 0, 1], 80))
        );
        assert_eq!(
            endpoint("http://[::1]:8889/whep").server().to_string(),
            "[::1]:8889"
        );
    }

    #[test]
    fn other_urls_are_refused() {
        assert_eq!(
            refusal("https://10.0.0.1/whep"),
            "https://10.0.0.1/whep is not plain HTTP"
        );
        assert_eq!(
            refusal("http://example.test/whep"),
            "the host of http://example.test/whep is neither an IP address nor localhost"
        );
        assert!(refusal("http://").contains("is no URL"));
    }

    #[test]
    fn locations_are_resolved() {
        let endpoint = endpoint("http://127.0.0.1:8889/stage/whep");
        let resolve = |location| endpoint.resolve(location);
        assert_eq!(resolve("/stage/whep/5f").expect("a path"), "/stage/whep/5f");
        assert_eq!(
            resolve("http://127.0.0.1:8889/stage/whep/5f").expect("a path"),
            "/stage/whep/5f"
        );
        assert!(resolve("http://127.0.0.2:8889/stage/whep/5f").is_err());
        assert!(resolve("whep/5f").is_err());
    }

    #[test]
    fn the_way_to_loopback_is_loopback() {
        let ip = endpoint("http://127.0.0.1:8889/whep")
            .local_ip()
            .expect("a route");
        assert!(ip.is_loopback());
    }
}
