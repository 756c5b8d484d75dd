//! What a media server tells of itself, asked without the operator.

use std::time::Duration;

use anyhow::{Context as _, Result};
use webinar_testbed::http_get;

const DEADLINE: Duration = Duration::from_secs(2);

/// Bytes of the stage that a pod has received since its source began; 0 while it has none.
///
/// # Errors
/// When it doesn't answer.
pub(crate) async fn received(address: &str) -> Result<u64> {
    stage(address, "inbound").await
}

/// Bytes of the stage that a pod has sent, as [`received`].
///
/// # Errors
/// When it doesn't answer.
pub(crate) async fn sent(address: &str) -> Result<u64> {
    stage(address, "outbound").await
}

/// How many pull the stage from a pod over RTSP.
///
/// # Errors
/// When it doesn't answer.
pub(crate) async fn children(address: &str) -> Result<u64> {
    Ok(readers(&ask(address).await?))
}

async fn ask(address: &str) -> Result<String> {
    http_get(&format!("http://{address}:9998/metrics?type=paths"), DEADLINE).await
}

async fn stage(address: &str, direction: &str) -> Result<u64> {
    bytes(&ask(address).await?, direction).with_context(|| format!("{address} tells of no stage"))
}

fn bytes(text: &str, direction: &str) -> Option<u64> {
    let of = format!("paths_{direction}_bytes{{name=\"stage\"");
    let line = text.lines().find(|line| line.starts_with(&of))?;
    line.rsplit(' ').next()?.parse().ok()
}

/// A server with none leaves them out.
fn readers(text: &str) -> u64 {
    let of = "paths_readers{name=\"stage\",readerType=\"rtspSession\"";
    let line = text.lines().find(|line| line.starts_with(of));
    line.and_then(|line| line.rsplit(' ').next()?.parse().ok())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_stage_counts() {
        let text = "paths_inbound_bytes{name=\"probe\",state=\"ready\"} 31350\n\
                    paths_inbound_bytes{name=\"stage\",state=\"notReady\"} 17\n";
        assert_eq!(bytes(text, "inbound"), Some(17));
        assert_eq!(bytes(text, "outbound"), None);
        let text = "paths_readers{name=\"stage\",readerType=\"webRTCSession\",state=\"ready\"} 9\n\
                    paths_readers{name=\"stage\",readerType=\"rtspSession\",state=\"ready\"} 3\n";
        assert_eq!((readers(text), readers("")), (3, 0));
    }
}
