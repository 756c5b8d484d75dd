//! Tokens of ServiceAccounts.

use anyhow::{Context, Result};
use k8s_openapi::api::authentication::v1::{TokenRequest, TokenRequestSpec};
use k8s_openapi::api::core::v1::ServiceAccount;
use kube::api::PostParams;
use kube::{Api, Client};

const VALID_SECONDS: i64 = 24 * 60 * 60;

/// A bearer token of an existing ServiceAccount, valid for 24 hours.
pub(crate) async fn token(client: &Client, namespace: &str, name: &str) -> Result<String> {
    let accounts: Api<ServiceAccount> = Api::namespaced(client.clone(), namespace);
    let request = TokenRequest {
        spec: TokenRequestSpec {
            expiration_seconds: Some(VALID_SECONDS),
            ..TokenRequestSpec::default()
        },
        ..TokenRequest::default()
    };
    let answer = accounts
        .create_token_request(name, &PostParams::default(), &request)
        .await
        .with_context(|| format!("asking for a token of the ServiceAccount {namespace}/{name}"))?;
    Ok(answer
        .status
        .context("the API server answered without a token")?
        .token)
}
