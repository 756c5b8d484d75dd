//! The model and the real server, asked the same.

use std::collections::{BTreeMap, VecDeque};

use anyhow::{Result, bail};
use http::Method;
use serde_json::Value;
use webinar_simulator::server::{Answer, Call, Kind, Server};

use super::dice::Dice;
use super::pairs::{Comparison, MASK, Pairs};
use super::real::{Asked, Real};
use super::tally::Tally;
use super::watches::{self, Running};

/// Who asks.
pub(crate) const USER: &str = "honest";

/// The namespaces of these tests begin so.
pub(crate) const OURS: &str = "honest-";

/// Name of the last object of each kind.
pub(crate) const END: &str = "honest-zz-end";

/// Calls that are shown when something differs.
const SHOWN: usize = 8;

/// A call. UIDs and versions in it are the model's, as [`uid`] and [`version`] write them.
#[derive(Debug, Clone)]
pub(crate) struct Step {
    pub(crate) kind: Kind,
    pub(crate) verb: &'static str,
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) query: String,
    pub(crate) accept: Option<&'static str>,
    pub(crate) content_type: &'static str,
    pub(crate) body: String,
}

/// A UID of the model in a call to both.
pub(crate) fn uid(model: &str) -> String {
    format!("@u{model}@")
}

/// A version of the model in a call to both.
pub(crate) fn version(model: &str) -> String {
    format!("@v{model}@")
}

/// Both, and what is known of them.
pub(crate) struct World {
    pub(crate) dice: Dice,
    pub(crate) server: Server,
    pub(crate) real: Real,
    pub(crate) tally: Tally,
    pairs: Pairs,
    running: Vec<Running>,
    last: VecDeque<String>,
    /// UIDs and versions that objects had, by kind, namespace and name.
    past: BTreeMap<(Kind, String, String), Vec<(String, String)>>,
}

impl World {
    pub(crate) async fn new(dice: Dice) -> Result<Self> {
        let real = Real::start().await?;
        let running = watches::begin(&real).await?;
        println!("what may differ:\n- {}", MASK.join("\n- "));
        Ok(Self {
            dice,
            server: Server::new(),
            real,
            tally: Tally::default(),
            pairs: Pairs::default(),
            running,
            last: VecDeque::new(),
            past: BTreeMap::new(),
        })
    }

    /// UIDs and versions that the object had.
    pub(crate) fn past(&self, kind: Kind, namespace: &str, name: &str) -> &[(String, String)] {
        let key = (kind, namespace.to_owned(), name.to_owned());
        self.past.get(&key).map_or(&[], Vec::as_slice)
    }

    /// Asks both, and fails if they do not answer alike.
    pub(crate) async fn ask(&mut self, step: &Step) -> Result<Answer> {
        let asked = Asked {
            method: step.method.clone(),
            uri: self.told(&format!("{}?{}", step.path, step.query)),
            accept: step.accept.map(str::to_owned),
            content_type: step.content_type.to_owned(),
            body: self.told(&step.body),
        };
        let (mut real, now) = self.real.ask(&asked).await?;
        only_ours(&mut real.body);
        without_managed_fields(&mut real.body);
        let call = Call {
            method: step.method.clone(),
            path: step.path.clone(),
            query: Some(plain(&step.query)),
            accept: step.accept.map(str::to_owned),
            content_type: Some(step.content_type.to_owned()),
            body: plain(&step.body).into(),
            user: USER.to_owned(),
        };
        let model = self.server.call(now, &call);
        self.tally.count(step.kind.name(), step.verb, real.code);
        let mut comparison = Comparison {
            pairs: &mut self.pairs,
            other_words: real.code == 400 || (real.code == 422 && step.kind.custom()),
            found: Vec::new(),
        };
        comparison.compare(&model.body, &real.body);
        let mut found = comparison.found;
        if model.code != real.code {
            found = vec![format!(
                "the model answers {}, the real server {}",
                model.code, real.code
            )];
        }
        if self.last.len() == SHOWN {
            self.last.pop_front();
        }
        self.last.push_back(format!(
            "{} {} {} {}\n  {}\n  {} {}",
            step.method,
            call.path,
            call.query.as_deref().unwrap_or_default(),
            step.content_type,
            plain(&step.body),
            real.code,
            real.body
        ));
        if !found.is_empty() {
            bail!(
                "they differ after {} calls:\n{}\n\nthe last calls:\n{}\n\nthe model: {} {}\nthe real server: {} {}",
                self.tally.calls(),
                found.join("\n"),
                self.last
                    .iter()
                    .map(String::as_str)
                    .collect::<Vec<_>>()
                    .join("\n"),
                model.code,
                model.body,
                real.code,
                real.body,
            );
        }
        self.learn(step.kind, &model.body);
        Ok(model)
    }

    /// Remembers the UIDs and versions of an answer.
    fn learn(&mut self, kind: Kind, body: &Value) {
        let meta = &body["metadata"];
        let said = |key: &str| meta[key].as_str().map(str::to_owned);
        let (Some(name), Some(uid), Some(version)) = (said("name"), said("uid"), said("resourceVersion"))
        else {
            return;
        };
        let key = (kind, said("namespace").unwrap_or_default(), name);
        let seen = self.past.entry(key).or_default();
        if seen.last().is_none_or(|(u, v)| *u != uid || *v != version) {
            seen.push((uid, version));
        }
    }

    /// A text in the real server's names.
    fn told(&self, text: &str) -> String {
        spoken(text, |sort, name| match sort {
            'u' => self.pairs.uid(name).unwrap_or(name).to_owned(),
            _ => {
                let known = name.parse().ok().and_then(|v| self.pairs.version(v));
                known.map_or_else(|| name.to_owned(), |v| v.to_string())
            }
        })
    }

    /// What all watches told, compared.
    pub(crate) async fn compare_watches(mut self) -> Result<()> {
        let mut events = 0;
        let watches = self.running.len();
        for running in std::mem::take(&mut self.running) {
            events += running.compare(&self.server, &mut self.pairs).await?;
        }
        println!("{watches} watches told {events} events");
        Ok(())
    }
}

/// A text in the model's names.
fn plain(text: &str) -> String {
    spoken(text, |_, name| name.to_owned())
}

fn spoken(text: &str, name: impl Fn(char, &str) -> String) -> String {
    let mut out = String::new();
    for (i, part) in text.split('@').enumerate() {
        let mut letters = part.chars();
        match letters.next().filter(|_| i % 2 == 1) {
            Some(sort) => out.push_str(&name(sort, letters.as_str())),
            None => out.push_str(part),
        }
    }
    out
}

/// The object belongs to these tests: it is in one of their namespaces, or has such a name.
pub(crate) fn ours(object: &Value) -> bool {
    let meta = &object["metadata"];
    let place = meta["namespace"].as_str().or_else(|| meta["name"].as_str());
    place.is_some_and(|place| place.starts_with(OURS))
}

/// They would be most of what is printed.
pub(crate) fn without_managed_fields(body: &mut Value) {
    match body {
        Value::Object(fields) => {
            fields.remove("managedFields");
            fields.values_mut().for_each(without_managed_fields);
        }
        Value::Array(items) => items.iter_mut().for_each(without_managed_fields),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// What others have stored is none of the model's business.
fn only_ours(body: &mut Value) {
    if let Some(items) = body.get_mut("items").and_then(Value::as_array_mut) {
        items.retain(ours);
    }
}
