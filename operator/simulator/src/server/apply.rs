//! Server-side apply: a manager says what it wants of an object, and what it wanted before and no longer does goes.

use serde_json::{Map, Value};

use super::kind::Kind;
use super::owners::{Changed, Merge, Owner, Owners, Path, Set, Step, flatten, item, merge, with_parents};
use super::value::fields_mut;

/// `config` applied by force to `live` by `manager`: the object and who owns its fields then.
pub(super) fn apply(
    kind: Kind,
    manager: &str,
    live: &Value,
    owners: &Owners,
    config: &Value,
) -> (Value, Owners) {
    let owner = Owner {
        manager: manager.to_owned(),
        applies: true,
        sub: String::new(),
    };
    let mut all = owners.all();
    let wanted: Set = flatten(kind, config).into_keys().collect();
    let before = all.insert(owner.clone(), wanted).unwrap_or_default();
    let mut object = live.clone();
    lay_over(kind, &mut Vec::new(), &mut object, config);
    let mut held: Set = all.values().flat_map(with_parents).collect();
    // Every configuration has a name.
    held.insert(vec![Step::Field("metadata".to_owned())]);
    let gone: Set = with_parents(&before).difference(&held).cloned().collect();
    take_out(kind, &mut Vec::new(), &mut Vec::new(), &mut object, &gone);
    Changed::between(kind, "", live, &object).take_from_others(&mut all, &owner);
    (object, Owners::of(all))
}

/// Writes `config` over `live`, list by list as each is merged.
fn lay_over<'a>(kind: Kind, names: &mut Vec<&'a str>, live: &mut Value, config: &'a Value) {
    match (config, merge(kind, names)) {
        (Value::Object(wanted), Merge::Granular) => {
            let fields = fields_mut(live);
            for (key, value) in wanted {
                names.push(key);
                lay_over(
                    kind,
                    names,
                    fields.entry(key.clone()).or_insert(Value::Null),
                    value,
                );
                names.pop();
            }
        }
        (Value::Array(wanted), Merge::By(keys)) => {
            let had = live.as_array().cloned().unwrap_or_default();
            let named = |value: &Value| item(keys, value);
            names.push("*");
            let mut items = Vec::new();
            for (old, new) in in_order(&had, wanted, named) {
                let mut out = old.map_or(Value::Null, |i| had[i].clone());
                if let Some(new) = new {
                    lay_over(kind, names, &mut out, &wanted[new]);
                }
                items.push(out);
            }
            names.pop();
            *live = Value::Array(items);
        }
        (Value::Array(wanted), Merge::Unique) => {
            let mut items = live.as_array().cloned().unwrap_or_default();
            let new = wanted
                .iter()
                .filter(|w| !items.contains(w))
                .cloned()
                .collect::<Vec<_>>();
            items.extend(new);
            *live = Value::Array(items);
        }
        _ => *live = config.clone(),
    }
}

/// The items of both lists: those of `had` stay where they are, and those of `wanted` keep their order among themselves.
fn in_order(
    had: &[Value],
    wanted: &[Value],
    named: impl Fn(&Value) -> String,
) -> Vec<(Option<usize>, Option<usize>)> {
    let old: Vec<String> = had.iter().map(&named).collect();
    let new: Vec<String> = wanted.iter().map(&named).collect();
    let mut shared = new.iter().filter(|n| old.contains(n));
    let mut next = shared.next();
    let mut out = Vec::new();
    let (mut l, mut r) = (0, 0);
    let both = |r: usize| (old.iter().position(|o| *o == new[r]), Some(r));
    while l < old.len() || r < new.len() {
        if l < old.len() && r < new.len() {
            if old[l] == new[r] {
                out.push(both(r));
                (l, r) = (l + 1, r + 1);
                next = shared.next();
                continue;
            }
            if new.contains(&old[l]) && next.is_some_and(|n| *n != old[l]) {
                l += 1;
                continue;
            }
        }
        if l < old.len() {
            if !new.contains(&old[l]) {
                out.push((Some(l), None));
                l += 1;
                continue;
            }
            if new[..r].contains(&old[l]) {
                l += 1;
            }
        }
        if r < new.len() {
            out.push(both(r));
            if next == Some(&new[r]) {
                next = shared.next();
            }
            r += 1;
        }
    }
    out
}

/// Takes the fields of `gone` away.
fn take_out(kind: Kind, names: &mut Vec<String>, path: &mut Path, object: &mut Value, gone: &Set) {
    if gone.is_empty() {
        return;
    }
    let how = {
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        merge(kind, &names)
    };
    match (object, how) {
        (Value::Object(fields), Merge::Granular) => {
            let kept: Map<String, Value> = std::mem::take(fields)
                .into_iter()
                .filter_map(|(key, mut value)| {
                    path.push(Step::Field(key.clone()));
                    names.push(key.clone());
                    let leaf = !gone.contains(path);
                    if leaf {
                        take_out(kind, names, path, &mut value, gone);
                    }
                    names.pop();
                    path.pop();
                    leaf.then_some((key, value))
                })
                .collect();
            *fields = kept;
        }
        (Value::Array(items), how @ (Merge::By(_) | Merge::Unique)) => {
            let named = |value: &Value| match how {
                Merge::By(keys) => item(keys, value),
                _ => value.to_string(),
            };
            items.retain_mut(|value| {
                path.push(Step::Item(named(value)));
                names.push("*".to_owned());
                let stays = !gone.contains(path);
                if stays {
                    take_out(kind, names, path, value, gone);
                }
                names.pop();
                path.pop();
                stays
            });
        }
        _ => {}
    }
}
