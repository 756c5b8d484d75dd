//! Just enough HTTP to ask a local process whether it is ready.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::wait::eventually;

/// Waits until a GET of an `http://host:port/path` URL is answered with 200.
///
/// # Errors
/// When the deadline passes, with the last answer or failure.
pub async fn wait_http_ok(url: &str, deadline: Duration) -> Result<()> {
    eventually(&format!("200 from {url}"), deadline, async || get_ok(url).await).await
}

/// The answer to a GET of an `http://host:port/path` URL, with its headers, once it is 200.
///
/// # Errors
/// When the deadline passes, with the last answer or failure.
pub async fn http_get(url: &str, deadline: Duration) -> Result<String> {
    eventually(&format!("200 from {url}"), deadline, async || get(url).await).await
}

pub(crate) async fn get_ok(url: &str) -> Result<()> {
    get(url).await.map(|_| ())
}

/// POSTs `body` once; anything but 200 is an error.
pub(crate) async fn post(url: &str, body: &str) -> Result<()> {
    ask(url, Some(body)).await.map(|_| ())
}

async fn get(url: &str) -> Result<String> {
    ask(url, None).await
}

async fn ask(url: &str, body: Option<&str>) -> Result<String> {
    let url: http::Uri = url.parse().with_context(|| format!("parsing {url:?}"))?;
    ensure!(url.scheme_str() == Some("http"), "{url} is not plain HTTP");
    let authority = url.authority().with_context(|| format!("{url} names no host"))?;
    let path = url.path_and_query().map_or("/", http::uri::PathAndQuery::as_str);
    let mut stream = TcpStream::connect((authority.host(), authority.port_u16().unwrap_or(80)))
        .await
        .with_context(|| format!("connecting to {authority}"))?;
    let head = match body {
        Some(body) => format!("POST {path} HTTP/1.1\r\nContent-Length: {}\r\n", body.len()),
        None => format!("GET {path} HTTP/1.1\r\n"),
    };
    let request = format!("{head}Host: {authority}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    stream.write_all(body.unwrap_or_default().as_bytes()).await?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await?;
    let answer = String::from_utf8_lossy(&answer);
    let code = answer.split_ascii_whitespace().nth(1).unwrap_or_default();
    ensure!(
        code == "200",
        "answered {:?}",
        answer.chars().take(500).collect::<String>()
    );
    Ok(answer.into_owned())
}
