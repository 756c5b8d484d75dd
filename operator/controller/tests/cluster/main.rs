//! The real operator binary on a real control plane: what users would notice.
//!
//! Every story has a control plane of its own, but for those of a million people, which take turns on a big one. Run those
//! one at a time: `cargo test -p webinar-operator --test cluster -- --test-threads=1 million::`. Files that begin with
//! `t` and a number are the named tests of safety: what must hold whatever goes wrong.

mod dashboards;
mod documented;
mod ending;
mod hostile;
mod install;
mod interrupted;
#[path = "../judges/mod.rs"]
mod judges;
mod kstatus;
mod live;
mod million;
mod moved;
mod nodes;
mod ordered;
mod outage;
mod past;
mod permissions;
mod policies;
mod proxied;
mod quiet;
mod raised;
mod recorded;
mod refusals;
mod replay;
mod room;
mod scope;
mod scraped;
mod shared;
mod steered;
mod support;
mod t01_crash_each_write;
mod t02_time_travel;
mod t03_missed_edges;
mod t04_stale_cache_create;
mod t05_field_mutation;
mod t06_conflict_storm;
mod t07_api_errors;
mod t08_watch_loss;
mod t09_leader_failover;
mod t10_clock_jump;
mod t11_uninstall;
mod t12_ownership;
mod t13_quiet;
mod t14_poisoned_object;
mod t15_upgrade_skew;
mod t16_apiserver_outage;
mod t17_node_zone_loss;
mod t18_drain_pdb;
mod t19_quota;
mod t20_no_capacity;
mod t21_viewer_safe;
mod t22_admission_outage;
mod t23_tenant_escape;
mod t24_flood;
