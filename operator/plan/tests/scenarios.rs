//! Stories of events, told by the planner: every `scenarios/*.yaml` becomes a snapshot beside it.
//!
//! A story gives the class, the Webinar and what happens to it when; its snapshot shows each decision with
//! the clock time at which it was made. `INSTA_UPDATE=always cargo test -p webinar-plan` writes them.

mod teller;
mod world;

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use teller::Teller;
use webinar_plan::{
    ClassFinding, Floor, NOTICES, Neighbour, Reading, Reason, Release, Role, Slot, Spec, Stranger, Tier,
    VERDICTS,
};
use world::{Crowd, World, at, class, spec};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Story {
    /// What it shows.
    story: String,
    #[serde(default)]
    class: ClassNumbers,
    webinar: WebinarSpec,
    created: Timestamp,
    /// When the operator first looks; absent: at once.
    first_seen: Option<Timestamp>,
    pods_become_ready_after: SignedDuration,
    #[serde(default)]
    happenings: Vec<Happening>,
    until: Timestamp,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct ClassNumbers {
    /// There is no such class at first.
    missing: bool,
    /// CPU request of both templates.
    cpus: u64,
    wave_size: u32,
    /// Largest number of pods of one Webinar.
    max_pods: u32,
}

impl Default for ClassNumbers {
    fn default() -> Self {
        Self {
            missing: false,
            cpus: 15,
            wave_size: 300,
            max_pods: 5000,
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct WebinarSpec {
    tier: String,
    max_tier: Option<String>,
    start_time: Option<Timestamp>,
    duration: Option<SignedDuration>,
    overrun: Option<SignedDuration>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Happening {
    at: Timestamp,
    r#do: String,
}

fn tier(text: &str) -> Tier {
    text.parse().expect("a tier")
}

fn world(story: &Story) -> World {
    let mut class = class(story.class.cpus);
    class.ramp.wave_size = story.class.wave_size;
    class.sizing.max_pods = story.class.max_pods;
    let wanted = &story.webinar;
    let mut spec = Spec {
        overrun: wanted.overrun,
        ..spec(tier(&wanted.tier), wanted.start_time)
    };
    if let Some(max) = &wanted.max_tier {
        spec.max_tier = tier(max);
    }
    spec.duration = wanted.duration.unwrap_or(spec.duration);
    let mut world = World::new(class, spec, story.created);
    world.now = story.first_seen.unwrap_or(story.created);
    world.ready_after = story.pods_become_ready_after;
    if story.class.missing {
        remove_class(&mut world);
    }
    world
}

fn remove_class(world: &mut World) {
    world.class = Err(ClassFinding {
        reason: Reason::ClassNotFound,
        message: "WebinarClass standard doesn't exist. Create it or name another one in `className`."
            .to_owned(),
    });
}

fn edit_class(world: &mut World, field: &str, to: &str) {
    let mut class = world.class.clone().expect("a class");
    let length = || to.parse::<SignedDuration>().expect("a duration");
    match field {
        "cpus" => {
            let millis = to.parse::<u64>().expect("a number") * 1000;
            class.cpu.sfu_millis = millis;
            class.cpu.relay_millis = Some(millis);
        }
        "waveSize" => class.ramp.wave_size = to.parse().expect("a number"),
        "overrun" => class.live.overrun = length(),
        "drainTimeout" => class.live.drain_timeout = length(),
        "maxTier" => class.max_tier = tier(to),
        _ => panic!("a class has no {field:?} here"),
    }
    world.class = Ok(class);
}

fn crowd(world: &mut World) -> &mut Crowd {
    let now = world.now;
    world.crowd.get_or_insert_with(|| Crowd::new(now))
}

fn become_many(world: &mut World, people: &str, within: &str) {
    let now = world.now;
    let (people, time) = (
        people.parse().expect("a number"),
        within.parse().expect("a duration"),
    );
    crowd(world).become_many(people, now, time);
}

fn between(first: &str, last: &str) -> impl Iterator<Item = Slot> {
    let [first, last] = [first, last].map(|t| t.parse::<Slot>().expect("a slot"));
    (first.index..=last.index).map(move |i| Slot::new(first.role, i))
}

/// Carries out one line of a story.
fn happen(world: &mut World, line: &str, cpus: u64) {
    let words: Vec<&str> = line.split(' ').collect();
    let slot = |text: &str| text.parse::<Slot>().expect("a slot");
    match words[..] {
        ["lose", one] => world.lose(slot(one), false),
        ["lose", first, "to", last] => {
            let (first, last) = (slot(first), slot(last));
            for index in first.index..=last.index {
                world.lose(Slot::new(first.role, index), false);
            }
        }
        ["cut", "off", one] => world.cut_off(slot(one), true),
        ["cut", "off", first, "to", last] | ["reconnect", first, "to", last] => {
            let (first, last) = (slot(first), slot(last));
            for index in first.index..=last.index {
                world.cut_off(Slot::new(first.role, index), words[0] == "cut");
            }
        }
        ["hang", one] => _ = world.hung.insert(slot(one)),
        ["free", one] => _ = world.hung.remove(&slot(one)),
        ["edit", "tier", to] => {
            world.spec.tier = tier(to);
            world.spec.max_tier = world.spec.tier;
        }
        ["edit", "maxTier", to] => world.spec.max_tier = tier(to),
        ["edit", "panelists", to] => world.spec.panelists = to.parse().expect("a number"),
        ["edit", "readyBefore", to] => world.spec.ready_before = Some(to.parse().expect("a duration")),
        ["remove", "startTime"] => world.spec.start = None,
        ["edit", "startTime", to] => world.spec.start = Some(at(to)),
        ["edit", "overrun", to] => world.spec.overrun = Some(to.parse().expect("a duration")),
        ["edit", "duration", to] => world.spec.duration = to.parse().expect("a duration"),
        ["edit", "suspend", to] => world.orders.suspend = to.parse().expect("true or false"),
        ["edit", "override", relays, "until", until] => {
            world.orders.floor = Some(Floor {
                relays: relays.parse().expect("a number"),
                reason: "the board watches".to_owned(),
                until: at(until),
            });
        }
        ["pods", "answer", "every", time] => crowd(world).every = time.parse().expect("a duration"),
        ["viewers", people] => become_many(world, people, "0s"),
        ["viewers", people, "within", time] => become_many(world, people, time),
        ["silence", "all"] => {
            let slots: Vec<Slot> = world.pods().map(|p| p.slot).collect();
            crowd(world).silent.extend(slots);
        }
        ["silence", first, "to", last] => crowd(world).silent.extend(between(first, last)),
        ["hear", "all"] => crowd(world).silent.clear(),
        ["lie", viewers] => {
            let says = Reading::Value(viewers.parse().expect("a number"));
            let slots: Vec<Slot> = world.pods().map(|p| p.slot).collect();
            crowd(world).lies.extend(slots.into_iter().map(|s| (s, says)));
        }
        ["lie", "absurdly", first, "to", last] => {
            crowd(world)
                .lies
                .extend(between(first, last).map(|s| (s, Reading::Absurd)));
        }
        ["tell", "the", "truth"] => crowd(world).lies.clear(),
        ["edit", "release", "AfterPeak"] => world.orders.release = Release::AfterPeak,
        ["remove", "override"] => world.orders.floor = None,
        ["nodes", "have", "room", "for", "all"] => world.room = usize::MAX,
        ["nodes", "have", "room", "for", pods, "pods"] => world.room = pods.parse().expect("a number"),
        ["quota", "allows", pods, "pods"] => world.quota = pods.parse().expect("a number"),
        ["edit", "class", field, to] => edit_class(world, field, to),
        ["create", "class"] => world.class = Ok(class(cpus)),
        ["remove", "class"] => remove_class(world),
        ["restart", "operator"] => world.restart(),
        ["stop", "operator"] => world.down = true,
        ["start", "operator"] => {
            world.down = false;
            world.restart();
        }
        ["delete"] => world.delete(),
        ["class", "allows", pods, "pods", "in", "all"] => {
            if let Ok(class) = &mut world.class {
                class.max_total_pods = Some(pods.parse().expect("a number"));
            }
        }
        ["neighbour", key, "starts", start, "with", pods, "pods"] => world.neighbours.push(Neighbour {
            key: key.to_owned(),
            start: at(start),
            pods: pods.parse().expect("a number"),
            begun: false,
        }),
        ["neighbour", key, "begins"] => {
            for neighbour in world.neighbours.iter_mut().filter(|n| n.key == key) {
                neighbour.begun = true;
            }
        }
        ["neighbour", key, "ends"] => world.neighbours.retain(|n| n.key != key),
        ["foreign", "pod", name] => world.strangers.push(Stranger {
            name: name.to_owned(),
            created: world.now,
        }),
        ["remove", "foreign", "pod", name] => world.strangers.retain(|s| s.name != name),
        ["publish", "to", "ingest"] => world.on_stage().presenter = true,
        ["publish", "to", "both"] => world.on_stage().sending = BTreeSet::from([0, 1]),
        ["publish", "to", one] => _ = world.on_stage().sending.insert(slot(one).index),
        ["stop", "presenters"] => world.on_stage().presenter = false,
        ["stop", one] => _ = world.on_stage().sending.remove(&slot(one).index),
        ["send", kbit, "kbit/s"] => world.on_stage().bitrate = kbit.parse::<u64>().expect("a number") * 1000,
        [what @ ("freeze" | "starve" | "silence"), one] => {
            let uid = world.uid_in(slot(one)).expect("a Ready pod");
            let stage = world.on_stage();
            let pods = match what {
                "freeze" => &mut stage.frozen,
                "starve" => &mut stage.starved,
                _ => &mut stage.silent,
            };
            pods.insert(uid);
        }
        ["heal", one] => {
            let uid = world.uid_in(slot(one)).expect("a Ready pod");
            let stage = world.on_stage();
            for pods in [&mut stage.frozen, &mut stage.starved, &mut stage.silent] {
                pods.remove(&uid);
            }
        }
        ["break", "the", "image"] => world.no_image = true,
        ["mend", "the", "image"] => world.no_image = false,
        ["re-apply"] => {}
        _ => panic!("what does {line:?} mean?"),
    }
}

fn tell(source: &str) -> String {
    let story: Story = serde_saphyr::from_str(source).expect("a story");
    let mut world = world(&story);
    let mut teller = Teller::default();
    for happening in &story.happenings {
        world.run_until(happening.at, |w, p| teller.hear(w, p));
        teller.line(world.now, &format!(">>> {}", happening.r#do));
        happen(&mut world, &happening.r#do, story.class.cpus);
    }
    world.run_until(story.until, |w, p| teller.hear(w, p));
    let left: Vec<String> = [Role::Sfu, Role::Mid, Role::Relay]
        .map(|role| format!("{} {role}", world.alive(role)))
        .to_vec();
    format!(
        "{}\n\n{}in the end: {}\n",
        story.story.trim(),
        teller.text,
        left.join(", ")
    )
}

/// What no story brings about: most of it is found by validation or answered by the API server. Other tests show it.
const NOT_IN_STORIES: [(&str, Reason); 7] = [
    ("Ready=False", Reason::ClassNotAccepted),
    ("Ready=False", Reason::NameConflict),
    ("CapacityAtRisk=True", Reason::PodsRejected),
    ("CapacityAtRisk=True", Reason::AboveCeiling),
    ("Stalled=True", Reason::ClassNotAccepted),
    ("Stalled=True", Reason::NameConflict),
    ("event", Reason::ClockSkew),
];

/// The tables that people look things up in have nothing that the planner never says. That they lack nothing is checked
/// of every plan that any test asks for.
#[test]
fn the_tables_have_only_what_is_said() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/scenarios");
    let mut told = String::new();
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.extension().is_some_and(|e| e == "snap") {
            told.push_str(&std::fs::read_to_string(path).expect("a snapshot"));
        }
    }
    let verdicts = VERDICTS.iter().flat_map(|(kind, truth, reasons)| {
        let verdict = format!("{}={}", kind.as_str(), truth.as_str());
        reasons.iter().map(move |reason| (verdict.clone(), *reason))
    });
    let notices = NOTICES.iter().map(|(reason, _)| ("event".to_owned(), *reason));
    for (what, reason) in verdicts.chain(notices) {
        let separator = if what == "event" { ": " } else { " " };
        let said = told.contains(&format!("  {what}{separator}{reason}:"));
        let excused = NOT_IN_STORIES.contains(&(&what, reason));
        assert!(said != excused, "{what} {reason}: said {said}, excused {excused}");
    }
}

macro_rules! stories {
    ($($name:ident,)+) => {
        $(#[test]
        fn $name() {
            let told = tell(include_str!(concat!("scenarios/", stringify!($name), ".yaml")));
            insta::with_settings!({
                snapshot_path => "scenarios",
                prepend_module_to_snapshot => false,
                omit_expression => true,
            }, { insta::assert_snapshot!(stringify!($name), told) });
        })+

        #[test]
        fn no_story_is_left_untold() {
            let told = [$(stringify!($name)),+];
            let index = include_str!("scenarios/README.md");
            let cells = index.lines().filter(|l| l.starts_with('|')).flat_map(|l| l.split('|').skip(2));
            let named: BTreeSet<&str> = cells
                .flat_map(|c| c.split('`').skip(1).step_by(2))
                .collect();
            assert_eq!(named, BTreeSet::from(told), "the stories in README.md");
            let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/scenarios");
            for entry in std::fs::read_dir(folder).expect("a folder") {
                let path = entry.expect("an entry").path();
                let name = path.file_stem().expect("a name").to_string_lossy().into_owned();
                let story = path.extension().is_some_and(|e| e == "yaml");
                assert!(!story || told.contains(&name.as_str()), "{name}.yaml has no test");
            }
        }
    };
}

stories! {
    absent_start_time,
    active_sfu_answers_no_more,
    active_sfu_lost_while_live,
    another_try_for_a_mid,
    brought_forward,
    brought_forward_too_far,
    brought_forward_while_ramping,
    class_edited_before_the_ramp,
    class_edited_during_the_run,
    class_removed_during_the_run,
    created_after_its_end,
    created_after_its_start,
    created_too_late,
    deleted_while_live,
    extended_while_draining,
    extended_while_live,
    failover_through_a_restart,
    failover_while_suspended,
    finished_and_applied_again,
    foreign_pods_with_its_labels,
    image_cannot_be_pulled_at_first,
    lengthened_before_the_start,
    everyone_leaves_at_once,
    lies_about_viewers,
    lowered_before_the_ramp,
    lowered_while_armed,
    lowered_while_live,
    lowered_while_ramping,
    max_tier_before_the_ramp,
    max_tier_down_while_armed,
    max_tier_up_while_armed,
    metrics_die_while_live,
    mid_hands_nothing_on,
    mid_lost_while_live,
    million_in_waves,
    next_run_after_a_new_start,
    next_start_while_draining,
    no_room_for_every_pod,
    node_lost_while_live,
    nodes_all_silent,
    nodes_come_late,
    operator_down_through_the_end,
    operator_down_through_the_ramp,
    operator_down_through_the_start,
    oversold,
    override_before_the_ramp,
    override_beyond_what_is_possible,
    override_edited_while_armed,
    override_while_draining,
    override_while_live,
    overrun_and_drain,
    overrun_lengthened_while_draining,
    overrun_with_viewers,
    panelists_edited,
    pods_lost_while_armed,
    postponed_before_the_ramp,
    postponed_before_the_ramp_twice,
    postponed_far_and_taken_back,
    postponed_far_while_armed,
    postponed_far_while_ramping,
    postponed_near_while_armed,
    postponed_while_live_beyond_overrun,
    postponed_while_live_within_overrun,
    presenters_come_late,
    presenters_leave_before_the_end,
    presenters_mute_and_show_a_slide,
    presenters_send_twice,
    presenters_stop_for_a_while,
    quota_is_short,
    raised_before_the_ramp,
    raised_before_the_start,
    raised_beyond_what_the_class_has,
    raised_just_before_the_start,
    raised_while_live,
    ready_before_edited,
    refused_raise,
    relay_receives_nothing,
    relay_sends_nothing,
    restarted_while_grown,
    room_now,
    room_presenters_stop,
    room_with_people,
    second_wave,
    shortened_before_the_start,
    shortened_while_live,
    slow_pods,
    stage_hands_nothing_on,
    start_moved_while_live,
    start_removed_before_the_ramp,
    start_removed_during_the_run,
    substitute_for_a_late_relay,
    suspended_before_the_ramp,
    suspended_through_the_start,
    suspended_while_draining,
    suspended_while_live,
    unknown_class,
    viewers_before_the_start,
    waits_for_others_of_its_class,
    weeks_ahead,
}
