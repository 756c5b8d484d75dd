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

async fn stage(address: &str, direction: &str) -> Result<u64> {
    let text = http_get(&format!("http://{address}:9998/metrics?type=paths"), DEADLINE).await?;
    bytes(&text, direction).with_context(|| format!("{address} tells of no stage"))
}

fn bytes(text: &str, direction: &str) -> Option<u64> {
    let of = format!("paths_{direction}_bytes{{name=\"stage\"");
    let line = text.lines().find(|line| line.starts_with(&of))?;
    line.rsplit(' ').next()?.parse().ok()
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
    }
}
