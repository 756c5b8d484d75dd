//! What may happen in a state, what it leads to, and what must hold.

use std::sync::Arc;

use http::Method;
use stateright::Property;

use super::NAMESPACE;
use super::book::{Book, hash};
use super::local::{Group, Local, Memo, More};
use super::state::{Left, State, Stray};
use super::world::{self, Pod, pods, webinar};
use crate::mutation::{self, Mutation};
use crate::server::{Answer, Call, Kind};

/// One step.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// A replica's watches tell all that is new: of pods alone, or of everything.
    Hear(usize, bool),
    /// A replica lists pods anew, as they were at a version of the past.
    Stale(usize, u64),
    /// A replica begins a pass.
    Look(usize),
    /// The next call of a replica's pass arrives and is answered.
    Call(usize),
    /// A replica dies and starts again. Its call under way may arrive later, or never does.
    Crash(usize, bool),
    /// The call of one that is dead arrives.
    Arrive,
    /// All pods that wait become Ready.
    Kubelets,
    /// A pod fails.
    Fail(String),
    /// A pod is gone at once.
    Vanish(String),
    /// Pods that were on their way out are gone.
    Gone,
    /// The Webinar is deleted.
    Delete,
    /// It is made anew.
    Recreate,
    /// What belonged to one that is gone goes.
    Collect,
}

/// The model.
pub struct Model {
    scope: Left,
    mutation: Option<Mutation>,
    memo: Memo,
}

impl Model {
    /// With all that may go wrong, and without a protection.
    pub fn new(scope: Left, mutation: Option<Mutation>) -> Self {
        Self {
            scope,
            mutation,
            memo: Memo::default(),
        }
    }

    /// How many processes were lived from their start.
    pub fn replays(&self) -> usize {
        self.memo.replays()
    }

    /// A call arrives, and is judged.
    fn arrive(&self, state: &mut State, call: &Call, about: &str, refuted: bool) -> Answer {
        let before = of_pod(&state.book, call);
        let what = hash((
            call.method.as_str(),
            &call.path,
            &call.query,
            &call.accept,
            &call.body,
        ));
        let (after, answer) = self.memo.step(&state.book, what, |book| {
            let mut arriving = call.clone();
            mutation::rewrite(self.mutation, &mut arriving, book.server.version());
            book.call(&arriving)
        });
        state.book = after;
        if call.method == Method::GET || answer.code >= 300 || !call.path.contains("/pods") {
            return answer;
        }
        let wrong = if refuted {
            Some("a pod is written for a Webinar that the pass was told is gone".to_owned())
        } else if let Some(pod) = before {
            judge(call, &pod, about)
        } else {
            None
        };
        if let Some(wrong) = wrong {
            state
                .broken
                .get_or_insert(format!("{wrong}: {} {}", call.method, call.path));
        }
        answer
    }

    /// A call of a replica arrives and is answered, and with it those that are no steps of their own.
    fn call(&self, state: &mut State, number: usize) {
        let mut local = state.replicas[number].clone();
        let Some(call) = local.calls.first().cloned() else {
            return;
        };
        let answer = self.arrive(state, &call, &local.about, local.refuted);
        let asks = Local::asks_for_webinar(&call);
        local.refuted |=
            asks && (answer.code != 200 || answer.body["metadata"]["uid"] != local.about.as_str());
        let (about, refuted) = (local.about.clone(), local.refuted);
        let mut aside = |call: &Call| self.aside(state, call, &about, refuted);
        local.answered(&self.memo, call, answer, &mut More::new(&mut aside));
        state.replicas[number] = local;
    }

    /// The answer to a call that is no step of its own. A status is taken as written and not kept.
    fn aside(&self, state: &mut State, call: &Call, about: &str, refuted: bool) -> Option<Answer> {
        if let Some(path) = call.path.strip_suffix("/status") {
            let read = Call {
                method: Method::GET,
                path: path.to_owned(),
                query: None,
                accept: None,
                content_type: None,
                body: bytes::Bytes::new(),
                user: call.user.clone(),
            };
            return Some(self.arrive(state, &read, about, refuted));
        }
        let fixtures = ["/services", "/poddisruptionbudgets"];
        let is_fixture = fixtures.iter().any(|part| call.path.contains(part));
        is_fixture.then(|| self.arrive(state, call, about, refuted))
    }

    /// Something that others do.
    fn happens(&self, state: &mut State, what: &Action, step: impl FnOnce(&mut Book)) {
        let done = |book: &mut Book| {
            step(book);
            Answer {
                code: 200,
                body: serde_json::Value::Null,
            }
        };
        let what = hash(format!("{what:?}"));
        (state.book, _) = self.memo.step(&state.book, what, done);
    }

    /// A replica begins a pass.
    fn look(&self, state: &mut State, number: usize, uid: String) {
        let mut local = state.replicas[number].clone();
        let about = uid.clone();
        let mut aside = |call: &Call| self.aside(state, call, &about, false);
        local.look(&self.memo, uid, &mut More::new(&mut aside));
        state.replicas[number] = local;
    }

    /// What a leader left that died as it was about to create its first pod.
    fn furnished(&self) -> State {
        let mut state = State::new(world::furnished(), self.scope);
        let uid = state.replicas[0]
            .webinar(&state.book)
            .expect("the Webinar is there");
        self.look(&mut state, 0, uid);
        while state.replicas[0].creates().is_none() {
            assert!(state.replicas[0].flying, "the pass is over and creates no pod");
            self.call(&mut state, 0);
        }
        State::new(Book::clone(&state.book), self.scope)
    }
}

/// The pod that a call names.
fn of_pod(book: &Book, call: &Call) -> Option<Pod> {
    let name = call
        .path
        .strip_prefix(&format!("{}/", Kind::Pod.path(NAMESPACE)))?;
    book.server
        .get(Kind::Pod, NAMESPACE, name)
        .map(|object| Pod::of(object))
}

/// What is wrong with a write to a pod that was done.
fn judge(call: &Call, pod: &Pod, about: &str) -> Option<String> {
    if pod.owner != about {
        return Some("a pod of another owner is written".to_owned());
    }
    let deletes = call.method == Method::DELETE;
    (deletes && pod.ready && pod.alive()).then(|| "a Ready pod is deleted".to_owned())
}

impl stateright::Model for Model {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        vec![self.furnished()]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        if state.broken.is_some() {
            return;
        }
        let book = &state.book;
        for (number, local) in state.replicas.iter().enumerate() {
            let [pods, others] = Group::ALL.map(|group| local.has_news(book, group));
            if pods && !local.flying {
                actions.push(Action::Hear(number, true));
            }
            if others && !local.flying {
                actions.push(Action::Hear(number, false));
            }
            if local.flying {
                actions.push(Action::Call(number));
            } else if local.due && local.webinar(book).is_some() {
                actions.push(Action::Look(number));
            }
            if state.left.stale > 0 && (state.left.stale_anytime || local.fresh) {
                let pods = Group::Pods.watches();
                let last = book.last(pods, local.heard(Group::Pods));
                let past = std::iter::once(0)
                    .chain(book.versions(pods))
                    .filter(|version| *version < last);
                actions.extend(past.map(|version| Action::Stale(number, version)));
            }
            if state.left.crashes > 0 {
                actions.push(Action::Crash(number, false));
                let writes = local.calls.first().is_some_and(|call| call.method != Method::GET);
                if writes {
                    actions.push(Action::Crash(number, true));
                }
            }
        }
        if state.stray.is_some() {
            actions.push(Action::Arrive);
        }
        let pods = pods(book);
        if pods.iter().any(|p| p.alive() && !p.ready) {
            actions.push(Action::Kubelets);
        }
        if pods.iter().any(|p| p.going) {
            actions.push(Action::Gone);
        }
        if state.left.troubles > 0 {
            for pod in pods.iter().filter(|p| p.alive()) {
                actions.push(Action::Fail(pod.name.clone()));
                actions.push(Action::Vanish(pod.name.clone()));
            }
        }
        match webinar(book) {
            Some(_) if state.left.recreations > 0 => actions.push(Action::Delete),
            Some(_) => {}
            None => actions.push(Action::Recreate),
        }
        if !world::orphans(book).is_empty() {
            actions.push(Action::Collect);
        }
    }

    fn next_state(&self, last: &State, action: Action) -> Option<State> {
        let mut state = last.clone();
        let book = Arc::clone(&last.book);
        match action {
            Action::Hear(number, only_pods) => {
                for group in Group::ALL {
                    let news = state.replicas[number].has_news(&book, group);
                    if news && (group == Group::Pods || !only_pods) {
                        state.replicas[number].hear(&book, group);
                    }
                }
            }
            Action::Stale(number, version) => {
                state.left.stale -= 1;
                state.replicas[number].list(&book, Group::Pods, version);
            }
            Action::Look(number) => {
                let uid = state.replicas[number].webinar(&book)?;
                self.look(&mut state, number, uid);
            }
            Action::Call(number) => self.call(&mut state, number),
            Action::Crash(number, arrives) => {
                state.left.crashes -= 1;
                let dead = std::mem::replace(&mut state.replicas[number], Local::start(&book));
                let call = dead.calls.first().filter(|_| arrives);
                state.stray = call.map(|call| Stray {
                    call: call.clone(),
                    about: dead.about.clone(),
                    refuted: dead.refuted,
                });
            }
            Action::Arrive => {
                let stray = state.stray.take()?;
                self.arrive(&mut state, &stray.call, &stray.about, stray.refuted);
            }
            Action::Kubelets => self.happens(&mut state, &action, world::start_pods),
            Action::Fail(ref name) => {
                state.left.troubles -= 1;
                self.happens(&mut state, &action, |book| world::fail(book, name));
            }
            Action::Vanish(ref name) => {
                state.left.troubles -= 1;
                self.happens(&mut state, &action, |book| world::vanish(book, name));
            }
            Action::Gone => self.happens(&mut state, &action, world::sweep),
            Action::Delete => {
                state.left.recreations -= 1;
                self.happens(&mut state, &action, world::delete_webinar);
            }
            Action::Recreate => self.happens(&mut state, &action, world::create_webinar),
            Action::Collect => self.happens(&mut state, &action, world::collect),
        }
        state.seal();
        Some(state)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always("one living pod in each slot", |_, state: &State| {
                let pods = pods(&state.book);
                let living: Vec<&Pod> = pods.iter().filter(|p| p.alive()).collect();
                let same = |a: &Pod, b: &Pod| (&a.owner, &a.slot) == (&b.owner, &b.slot);
                living
                    .iter()
                    .enumerate()
                    .all(|(i, a)| !living.iter().take(i).any(|b| same(a, b)))
            }),
            Property::always("two living pods at most", |_, state: &State| {
                let there = webinar(&state.book);
                let pods = pods(&state.book);
                pods.iter()
                    .filter(|p| p.alive() && Some(&p.owner) == there.as_ref())
                    .count()
                    <= 2
            }),
            Property::always("nothing is written that must not be", |_, state: &State| {
                state.broken.is_none()
            }),
            Property::always("no pass panics", |_, state: &State| {
                state.replicas.iter().all(|local| local.panicked.is_none())
            }),
            Property::always("whoever is quiet has filled both slots", |_, state: &State| {
                !state.quiet() || webinar(&state.book).is_none() || state.filled() == 2
            }),
            Property::sometimes("all is quiet", |_, state: &State| state.quiet()),
            Property::sometimes(
                "two replicas create a pod in the same slot at once",
                |_, state: &State| {
                    let [one, other] = state.replicas.each_ref().map(Local::creates);
                    one.is_some() && one == other
                },
            ),
            Property::sometimes("a create finds the pod there already", |_, state: &State| {
                answered(state, &Method::POST, "/pods", 409)
            }),
        ]
    }
}

/// A replica was answered so.
fn answered(state: &State, method: &Method, part: &str, code: u16) -> bool {
    let mut last = state.replicas.iter().filter_map(|local| local.last.as_ref());
    last.any(|(m, path, c)| m == method && path.contains(part) && *c == code)
}

/// A way through the states, as lines.
pub fn story(actions: &[Action]) -> String {
    let lines = actions.iter().map(|action| format!("  {action:?}\n"));
    lines.collect()
}
