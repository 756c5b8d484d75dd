//! A replica as a function of all that it was told: the production code is started anew, is told it again in the same
//! order, and shows which calls it waits for.

use std::io;
use std::sync::atomic::AtomicI64;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use futures::future::BoxFuture;
use http::{Method, Request, Response};
use kube::client::Body;
use serde_json::Value;
use tokio::sync::oneshot;
use tokio::task::{JoinHandle, yield_now};
use tokio_util::sync::CancellationToken;
use tower::{BoxError, Service};
use webinar_operator::replica::{Order, Replica, Setup};

use super::{NAME, NAMESPACE, NOW};
use crate::operator::feed::{listed, news};
use crate::operator::{KeptPanics, panicked, wire};
use crate::scenario::Watch;
use crate::server::{Answer, Call, Change};
use crate::world::OPERATOR_NAMESPACE;

/// So many looks at all tasks in a row without anything new: nothing more comes of itself.
const STILL: u32 = 24;

/// What a replica is told.
#[derive(Debug)]
pub(super) enum Input {
    /// A whole list.
    List(Watch, Vec<Arc<Value>>),
    /// What has changed.
    Changes(Watch, Vec<Change>),
    /// To look at the Webinar.
    Look,
    /// The answer to the first of the calls under way, which was this one.
    Answer(Call, Answer),
}

/// How a replica stands after all that it was told.
#[derive(Debug)]
pub(super) struct Standing {
    /// Calls that have no answer yet, in the order in which they were made.
    pub(super) calls: Arc<Vec<Call>>,
    /// The pass is over. When the next look is due, if that was said.
    pub(super) over: Option<Option<Duration>>,
    /// What it remembers; its own writes of pods, and of others, that it was not told of.
    pub(super) remembers: [String; 3],
    /// What panicked.
    pub(super) panicked: Option<String>,
}

/// Tells a new replica everything in order, and then what `answer` says to the first call under way, for as long as it has
/// an answer to that. How the replica stood after the inputs, and after each of those answers.
///
/// # Panics
///
/// When the same inputs are not followed by the same calls as before: then nothing here means anything.
pub(super) fn replay<'a>(
    inputs: impl Iterator<Item = &'a Input>,
    answer: impl FnMut(&Call) -> Option<Answer>,
) -> io::Result<Vec<Standing>> {
    let _kept = KeptPanics::begin();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()?;
    let all = runtime.block_on(live(inputs, answer));
    drop(runtime);
    Ok(all)
}

async fn live<'a>(
    inputs: impl Iterator<Item = &'a Input>,
    mut answer: impl FnMut(&Call) -> Option<Answer>,
) -> Vec<Standing> {
    let line = Line::default();
    let setup = Setup {
        identity: "operator".to_owned(),
        namespace: OPERATOR_NAMESPACE.to_owned(),
        lease: [15, 10, 2].map(Duration::from_secs),
        // None waits for its turn: time stands still.
        limits: [100_000, 64],
        order: Order::Turns,
        now: NOW,
        moved: Arc::new(AtomicI64::new(0)),
        decide: Arc::new(webinar_plan::plan),
    };
    let (replica, _calls) = Replica::new(line.clone(), setup);
    let replica = Arc::new(replica);
    tokio::spawn(replica.campaign(CancellationToken::new()));
    settle(&line, None).await;
    assert!(replica.leads(), "the lease was not taken");
    let mut pass: Option<JoinHandle<Option<Duration>>> = None;
    let mut over = None;
    for input in inputs {
        match input {
            Input::List(of, objects) => {
                for news in listed(*of, objects) {
                    replica.take(news);
                }
            }
            Input::Changes(of, changes) => {
                for news in changes.iter().filter_map(|c| news(*of, c)) {
                    replica.take(news);
                }
            }
            Input::Look => {
                let webinar = replica.webinar(NAMESPACE, NAME).expect("it is in the cache");
                let replica = Arc::clone(&replica);
                over = None;
                pass = Some(tokio::spawn(async move { replica.look(webinar).await }));
            }
            Input::Answer(call, answer) => line.answer(call, answer),
        }
        if matches!(input, Input::Look | Input::Answer(..)) {
            over = settled(&line, &mut pass).await.or(over);
        }
    }
    let mut all = Vec::new();
    loop {
        let calls: Vec<Call> = line.lock().calls.iter().map(|(call, _)| call.clone()).collect();
        let next = calls.first().and_then(|call| Some((call.clone(), answer(call)?)));
        all.push(Standing {
            calls: Arc::new(calls),
            over,
            remembers: replica.remembers(),
            panicked: panicked(),
        });
        let Some((call, said)) = next else {
            return all;
        };
        line.answer(&call, &said);
        over = settled(&line, &mut pass).await.or(over);
    }
}

/// Until nothing more happens. If the pass is over then: when the next look is due, if that was said.
async fn settled(line: &Line, pass: &mut Option<JoinHandle<Option<Duration>>>) -> Option<Option<Duration>> {
    settle(line, pass.as_ref()).await;
    let done = pass.take_if(|pass| pass.is_finished())?;
    Some(done.await.unwrap_or(Some(Duration::ZERO)))
}

/// Until nothing more happens without an answer. Time stands still meanwhile, since somebody always wants to go on.
async fn settle(line: &Line, pass: Option<&JoinHandle<Option<Duration>>>) {
    let mut still = 0;
    let mut made = line.lock().made;
    while still < STILL && !pass.is_some_and(JoinHandle::is_finished) {
        yield_now().await;
        let now = line.lock().made;
        still = if now == made { still + 1 } else { 0 };
        made = now;
    }
}

/// Calls wait here until they are answered.
#[derive(Debug, Clone, Default)]
struct Line(Arc<Mutex<Waiting>>);

#[derive(Debug, Default)]
struct Waiting {
    calls: Vec<(Call, oneshot::Sender<Answer>)>,
    made: u64,
}

impl Line {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait(&self, call: Call, answer: oneshot::Sender<Answer>) {
        let mut waiting = self.lock();
        waiting.calls.push((call, answer));
        waiting.made += 1;
    }

    fn answer(&self, to: &Call, answer: &Answer) {
        let (call, waits) = self.lock().calls.remove(0);
        let same = (&call.method, &call.path, &call.query, &call.body)
            == (&to.method, &to.path, &to.query, &to.body);
        assert!(
            same,
            "the same inputs were followed by another call:\n{call:?}\n{to:?}"
        );
        let _ = waits.send(answer.clone());
    }

    /// Leases and Events are no part of the scope: who asks for the lease has it, and what is told is heard.
    fn aside(call: &Call) -> Option<Answer> {
        if !call.path.contains("/leases") && !call.path.contains("/events") {
            return None;
        }
        if call.method == Method::GET {
            return Some(wire::refusal(404, "NotFound", "not found"));
        }
        let body = serde_json::from_slice(&call.body).unwrap_or(Value::Null);
        Some(Answer { code: 201, body })
    }

    async fn carry(self, request: Request<Body>) -> Result<Response<Body>, BoxError> {
        let call = wire::call(request).await?;
        let answer = match Self::aside(&call) {
            Some(answer) => {
                self.lock().made += 1;
                answer
            }
            None => {
                let (answer, answered) = oneshot::channel();
                self.wait(call, answer);
                answered.await?
            }
        };
        wire::response(&answer, NOW)
    }
}

impl Service<Request<Body>> for Line {
    type Response = Response<Body>;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<Response<Body>, BoxError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        Box::pin(self.clone().carry(request))
    }
}
