//! Connections: cut, left and closed.

use std::fs;
use std::net::TcpStream;
use std::sync::Arc;

use anyhow::{Result, ensure};
use http::Method;
use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::api::PostParams;
use rustls::pki_types::ServerName;
use rustls::pki_types::pem::PemObject as _;
use tokio_rustls::TlsConnector;

use super::super::{Fault, Pattern, Rule, Snapshot};
use super::stage::{PODS, SOON, Stage};
use crate::certificates::CA_CERT;
use crate::wait::{eventually, within};
use crate::{client, write_kubeconfig};

#[tokio::test]
async fn who_is_cut_off_reaches_nobody_until_healed() -> Result<()> {
    let stage = Stage::set().await?;
    let mut watch = stage.watch().await?;
    let mut link = Some(stage.connect().await?);
    stage.call_over(&mut link, Method::GET, PODS, "").await?;
    let seen = stage.server.seen();

    stage.proxy.cut();
    watch.next().await.expect_err("cut");
    let answered = stage.call_over(&mut link, Method::POST, PODS, "a").await;
    answered.expect_err("cut off");
    // A new one is refused, rather than left without an answer.
    let error = stage.connect().await.err().map(|error| format!("{error:#}"));
    assert!(
        error.as_ref().is_some_and(|error| !error.contains("took longer")),
        "{error:?}"
    );
    stage.connections(0).await?;
    assert_eq!(stage.server.seen(), seen);
    assert_eq!(stage.proxy.writes(), []);

    stage.proxy.heal();
    assert_eq!(stage.create("a").await?.status, 201);
    stage.proxy.check()
}

#[tokio::test]
async fn a_client_that_leaves_leaves_nothing_behind() -> Result<()> {
    let stage = Stage::set().await?;
    for fault in [
        Fault::FreezeWatch,
        Fault::HoldWatch,
        Fault::Record(Snapshot::new()),
    ] {
        let watch = stage.watch().await?;
        stage.proxy.script([Rule::new(Pattern::resource("pods"), fault)]);
        drop(watch);
        stage.connections(0).await?;
        eventually("no watches", SOON, async || {
            ensure!(stage.proxy.open_watches() == 0, "some");
            Ok(())
        })
        .await?;
    }
    for (fault, connections) in [(Fault::Hang, 0), (Fault::ApplyThenHang, 1)] {
        stage.proxy.script([Rule::new(Pattern::resource("pods"), fault)]);
        let injected = stage.proxy.injected().len() + 1;
        let creating = Box::pin(stage.create("a"));
        tokio::select! {
            answered = creating => panic!("{answered:?}"),
            outcome = async {
                stage.injected(injected).await?;
                stage.connections(connections).await
            } => outcome?,
        }
        stage.connections(0).await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_dropped_proxy_closes_everything() -> Result<()> {
    let mut stage = Stage::set().await?;
    let mut watch = stage.watch().await?;
    let mut idle = Some(stage.connect().await?);
    stage.call_over(&mut idle, Method::GET, PODS, "").await?;
    stage.connections(2).await?;
    let address = stage.proxy.server().replace("https://", "");

    let other = Stage::set().await?;
    stage.proxy = other.proxy;
    watch.next().await.expect_err("closed");
    stage.connections(0).await?;
    TcpStream::connect(address).expect_err("nobody listens");
    Ok(())
}

#[tokio::test]
async fn a_kubeconfig_leads_to_the_proxy() -> Result<()> {
    let stage = Stage::set().await?;
    let (file, ca) = (
        stage.dir.path().join("operator.kubeconfig"),
        stage.dir.path().join(CA_CERT),
    );
    write_kubeconfig(&file, &stage.address, &ca, "secret-token")?;
    let copy = stage.proxy.kubeconfig(&file)?;
    assert_ne!(copy, file);
    let text = fs::read_to_string(&copy)?;
    assert!(text.contains(&stage.proxy.server()), "{text}");
    assert!(!text.contains(&stage.address), "{text}");

    let pods: Api<Pod> = Api::namespaced(client(&copy).await?, "events");
    let mut pod = Pod::default();
    pod.metadata.name = Some("a".to_owned());
    // The server answers with something that is no pod.
    _ = within("a create", SOON, async {
        Ok(pods.create(&PostParams::default(), &pod).await?)
    })
    .await;
    assert_eq!(stage.server.seen(), [format!("POST {PODS}? a")]);
    assert_eq!(stage.proxy.writes()[0].request.name, "a");

    write_kubeconfig(&file, "https://127.0.0.1:1", &ca, "secret-token")?;
    let error = stage.proxy.kubeconfig(&file).expect_err("another server");
    assert!(error.to_string().contains(&stage.address), "{error}");
    Ok(())
}

#[tokio::test]
async fn clients_are_led_to_http_1() -> Result<()> {
    let stage = Stage::set().await?;
    let mut roots = rustls::RootCertStore::empty();
    let ca = stage.dir.path().join(CA_CERT);
    roots.add(rustls::pki_types::CertificateDer::from_pem_file(ca)?)?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let address = stage.proxy.server().replace("https://", "");
    let stream = tokio::net::TcpStream::connect(address).await?;
    let name = ServerName::try_from("127.0.0.1")?;
    let stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await?;
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"http/1.1"[..]));
    Ok(())
}
