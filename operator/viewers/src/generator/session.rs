//! One visit: from the offer until the connection ends or the viewer leaves.

use std::net::IpAddr;
use std::pin::pin;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Error, Result, bail};
use str0m::RtcConfig;
use tokio::time::sleep_until;
use tokio_util::sync::CancellationToken;

use super::clock::{self, Clock};
use super::endpoint::Endpoint;
use super::peer::{Happening, Offered, Peer};
use super::record::{End, Record};
use super::whep::{self, Answer};

/// How long the connection may take to come up once the server has answered.
const CONNECT_DEADLINE: Duration = Duration::from_secs(15);
/// str0m has something to do far more often; this only bounds a wait.
const LONGEST_WAIT: Duration = Duration::from_secs(1);

/// What all sessions have in common.
pub(crate) struct Setup {
    pub(crate) config: RtcConfig,
    pub(crate) clock: Clock,
    pub(crate) bind: Option<IpAddr>,
}

/// Watches until the end, and tells it with the WHEP session that is to be left, if there is one.
pub(crate) async fn watch(
    setup: &Setup,
    endpoint: &Endpoint,
    record: &Mutex<Record>,
    stop: &CancellationToken,
) -> (End, Option<whep::Session>) {
    lock(record).attempt(setup.clock.unix_ms(clock::now()));
    let asked = stop.run_until_cancelled(ask(setup, endpoint)).await;
    let (mut peer, session) = match asked {
        None => return (End::Stopped, None),
        Some(Err(error)) => return (failed(&error), None),
        Some(Ok(Asked::Refused(status))) => return (End::Refused(status), None),
        Some(Ok(Asked::Unusable(error, session))) => return (failed(&error), Some(session)),
        Some(Ok(Asked::Accepted(peer, session))) => (peer, session),
    };
    let end = follow(&mut peer, setup.clock, record, stop)
        .await
        .unwrap_or_else(|error| failed(&error));
    peer.close();
    (end, Some(session))
}

/// The record, also after a panic elsewhere: it is only numbers.
pub(crate) fn lock(record: &Mutex<Record>) -> MutexGuard<'_, Record> {
    record.lock().unwrap_or_else(PoisonError::into_inner)
}

fn failed(error: &Error) -> End {
    End::Failed(format!("{error:#}"))
}

enum Asked {
    Accepted(Box<Peer>, whep::Session),
    Unusable(Error, whep::Session),
    Refused(u16),
}

async fn ask(setup: &Setup, endpoint: &Endpoint) -> Result<Asked> {
    let ip = match setup.bind {
        Some(ip) => ip,
        None => endpoint.local_ip()?,
    };
    let (offered, sdp) = Offered::new(&setup.config, ip).await?;
    Ok(match whep::offer(endpoint, sdp).await? {
        Answer::Refused(status) => Asked::Refused(status.as_u16()),
        Answer::Accepted(answer, session) => match offered.answered(&answer) {
            Ok(peer) => Asked::Accepted(Box::new(peer), session),
            Err(error) => Asked::Unusable(error, session),
        },
    })
}

async fn follow(
    peer: &mut Peer,
    clock: Clock,
    record: &Mutex<Record>,
    stop: &CancellationToken,
) -> Result<End> {
    let mut visit = Visit {
        clock,
        record,
        connected: false,
        end: None,
    };
    let began = clock::now();
    let mut alarm = began;
    let mut stopped = pin!(stop.cancelled());
    let mut timer = pin!(sleep_until(alarm.into()));
    loop {
        let wake = tokio::select! {
            biased;
            () = &mut stopped => return Ok(End::Stopped),
            readable = peer.readable() => {
                readable?;
                peer.receive(&mut |happening| visit.told(happening))?
            }
            () = &mut timer => {
                let now = clock::now();
                if !visit.connected && now.duration_since(began) >= CONNECT_DEADLINE {
                    bail!("no connection within {CONNECT_DEADLINE:?}");
                }
                let wake = peer.tick(now, &mut |happening| visit.told(happening))?;
                // The alarm has gone off, so any wish is sooner than it.
                alarm = now + LONGEST_WAIT;
                timer.as_mut().reset(alarm.into());
                Some(wake)
            }
        };
        if let Some(end) = visit.end {
            return Ok(end);
        }
        // Wishes move on with most packets. Setting the timer back costs more than an alarm too many.
        if let Some(wake) = wake.filter(|wake| *wake < alarm) {
            alarm = wake;
            timer.as_mut().reset(alarm.into());
        }
    }
}

struct Visit<'a> {
    clock: Clock,
    record: &'a Mutex<Record>,
    connected: bool,
    end: Option<End>,
}

impl Visit<'_> {
    fn told(&mut self, happening: Happening) {
        match happening {
            Happening::Connected => {
                self.connected = true;
                lock(self.record).connected();
            }
            Happening::Media(packet, at) => lock(self.record).packet(packet, self.clock.unix_ms(at)),
            Happening::Closed => self.end = Some(End::ByServer),
            Happening::Silent if self.connected => self.end = Some(End::BySilence),
            Happening::Silent => {
                self.end = Some(End::Failed("the server does not answer over UDP".to_owned()));
            }
        }
    }
}
