//! `GET metrics`: what runs, in Prometheus' text format, with the names that `docs/control-api.md` lists.

use std::collections::BTreeMap;

use ngx::core::Status;
use prometheus::TextEncoder;
use prometheus::proto::{Counter, Gauge, LabelPair, Metric, MetricFamily, MetricType};

use crate::hot;
use crate::nginx::{Level, Log, Request};
use crate::sandbox::{self, Kind};

use super::arguments;
use super::reply::{Refusal, text};

const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Labels and a value. Prometheus' values are all floating-point; a count is exact up to 2^53.
type Sample = (Vec<(&'static str, String)>, u64);

/// Answers the call.
pub fn answer(request: &Request) -> Result<Status, Refusal> {
    arguments::none(request.args()).map_err(Refusal::argument)?;
    match encode(&hot::status(), hot::totals(), &sandbox::totals()) {
        Ok(metrics) => Ok(text(request, TEXT, &metrics)),
        Err(error) => {
            Log::of(request).write(Level::Err, format!("failed to make text of the metrics: {error}").as_bytes());
            Ok(Status(500))
        }
    }
}

fn encode(status: &hot::Status, changes: hot::Totals, profiles: &[sandbox::Totals]) -> prometheus::Result<String> {
    let families = [of_code(status, changes), of_workers(status), of_sandbox(profiles)].concat();
    // One without samples says nothing, and the encoder refuses it.
    let told: Vec<MetricFamily> = families.into_iter().filter(|family| !family.get_metric().is_empty()).collect();
    TextEncoder::new().encode_to_string(&told)
}

fn of_code(status: &hot::Status, changes: hot::Totals) -> Vec<MetricFamily> {
    let one = |value: u64| vec![(Vec::new(), value)];
    let hot::Totals { activated, rejected, rolled_back } = changes;
    let (has_candidate, has_error) = (status.candidate.is_some(), status.last_error.is_some());
    vec![
        gauge("hotlua_generation", "Number of the active generation.", one(status.generation)),
        gauge("hotlua_candidate", "1 while a candidate is being prepared.", one(has_candidate.into())),
        gauge("hotlua_last_error", "1 while the last change is a rejected one.", one(has_error.into())),
        counter("hotlua_activations_total", "Generations that were activated, rollbacks among them.", one(activated)),
        counter("hotlua_rejections_total", "Candidates that were rejected.", one(rejected)),
        counter("hotlua_rollbacks_total", "Rollbacks that were activated.", one(rolled_back)),
        gauge("hotlua_zone_size_bytes", "Size of the shared memory of hotlua_zone.", one(status.zone.size as u64)),
        gauge("hotlua_zone_used_bytes", "What of it is in use.", one(status.zone.used as u64)),
    ]
}

fn of_workers(status: &hot::Status) -> Vec<MetricFamily> {
    let each = |value: fn(&hot::Worker) -> u64| {
        let samples = status.workers.iter().map(|worker| (vec![("worker", worker.slot.to_string())], value(worker)));
        samples.collect::<Vec<Sample>>()
    };
    let by_generation = |held: fn(&hot::Worker) -> &BTreeMap<u64, u64>| {
        let samples = status.workers.iter().flat_map(|worker| {
            held(worker).iter().map(|(generation, &count)| {
                (vec![("worker", worker.slot.to_string()), ("generation", generation.to_string())], count)
            })
        });
        samples.collect::<Vec<Sample>>()
    };
    vec![
        gauge(
            "hotlua_worker_generation",
            "Generation that the worker gives new requests.",
            each(|worker| worker.generation),
        ),
        gauge("hotlua_worker_modules", "Modules that the worker has loaded.", each(|worker| worker.modules as u64)),
        gauge(
            "hotlua_worker_pinned_requests",
            "Requests that still run on an older generation, by that.",
            by_generation(|worker| &worker.pinned),
        ),
        gauge(
            "hotlua_worker_pinned_timers",
            "Timers that still hold an older generation, by that.",
            by_generation(|worker| &worker.timers),
        ),
    ]
}

fn of_sandbox(profiles: &[sandbox::Totals]) -> Vec<MetricFamily> {
    let label = |totals: &sandbox::Totals| ("profile", totals.profile.clone());
    let each = |value: fn(&sandbox::Totals) -> u64| {
        let samples = profiles.iter().map(|totals| (vec![label(totals)], value(totals)));
        samples.collect::<Vec<Sample>>()
    };
    let runs = profiles.iter().flat_map(|totals| {
        let ended = Kind::ALL.iter().zip(totals.ended).map(|(kind, runs)| (kind.name(), runs));
        let results = [("ok", totals.ok)].into_iter().chain(ended);
        results.map(move |(result, runs)| (vec![label(totals), ("result", result.to_owned())], runs))
    });
    vec![
        counter("hotlua_sandbox_runs_total", "Runs of sandboxed scripts, by how they ended.", runs.collect()),
        counter(
            "hotlua_sandbox_instructions_total",
            "Instructions that they took.",
            each(|totals| totals.instructions),
        ),
        counter("hotlua_sandbox_slices_total", "Slices in which they ran.", each(|totals| totals.slices)),
        gauge("hotlua_sandbox_waiting_runs", "Runs that wait for their first slice.", each(|totals| totals.waiting)),
        gauge("hotlua_sandbox_paused_runs", "Runs that wait for their next slice.", each(|totals| totals.paused)),
        gauge("hotlua_sandbox_vms", "VMs that there are, over all workers.", each(|totals| totals.vms)),
        counter("hotlua_sandbox_vms_created_total", "VMs that were made.", each(|totals| totals.created)),
        counter(
            "hotlua_sandbox_vms_evicted_total",
            "VMs that made room for other tenants'.",
            each(|totals| totals.evicted),
        ),
        counter(
            "hotlua_sandbox_vms_replaced_total",
            "VMs that could not be used again after a run.",
            each(|totals| totals.replaced),
        ),
    ]
}

fn gauge(name: &str, help: &str, samples: Vec<Sample>) -> MetricFamily {
    family(MetricType::GAUGE, name, help, samples, |metric, value| {
        let mut gauge = Gauge::default();
        gauge.set_value(value);
        metric.set_gauge(gauge);
    })
}

fn counter(name: &str, help: &str, samples: Vec<Sample>) -> MetricFamily {
    family(MetricType::COUNTER, name, help, samples, |metric, value| {
        let mut counter = Counter::default();
        counter.set_value(value);
        metric.set_counter(counter);
    })
}

fn family(kind: MetricType, name: &str, help: &str, samples: Vec<Sample>, set: fn(&mut Metric, f64)) -> MetricFamily {
    let metrics = samples.into_iter().map(|(labels, value)| {
        let labels = labels.into_iter().map(|(name, value)| {
            let mut pair = LabelPair::default();
            pair.set_name(name.to_owned());
            pair.set_value(value);
            pair
        });
        let mut metric = Metric::from_label(labels.collect());
        set(&mut metric, value as f64);
        metric
    });
    let mut family = MetricFamily::default();
    family.set_name(name.to_owned());
    family.set_help(help.to_owned());
    family.set_field_type(kind);
    family.set_metric(metrics.collect());
    family
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The samples of a text, by name and labels.
    fn samples(text: &str) -> Vec<(&str, &str)> {
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        lines.map(|line| line.rsplit_once(' ').unwrap()).collect()
    }

    fn status() -> hot::Status {
        let worker = |slot, generation, pinned: &[(u64, u64)], modules| hot::Worker {
            pid: 100 + slot as i32,
            slot,
            generation,
            pinned: pinned.iter().copied().collect(),
            timers: pinned.iter().take(1).map(|(generation, requests)| (*generation, requests + 3)).collect(),
            modules,
        };
        let mut status = hot::Status {
            generation: 7,
            candidate: Some(8),
            workers: vec![worker(0, 7, &[(5, 1), (6, 2)], 31), worker(1, 6, &[], 0)],
            ..hot::Status::default()
        };
        (status.zone.size, status.zone.used) = (33_554_432, 1_310_720);
        status
    }

    #[test]
    fn the_code_and_the_workers_are_told() {
        let changes = hot::Totals { activated: 9, rejected: 2, rolled_back: 1 };
        let text = encode(&status(), changes, &[]).unwrap();
        assert_eq!(
            samples(&text),
            [
                ("hotlua_generation", "7"),
                ("hotlua_candidate", "1"),
                ("hotlua_last_error", "0"),
                ("hotlua_activations_total", "9"),
                ("hotlua_rejections_total", "2"),
                ("hotlua_rollbacks_total", "1"),
                ("hotlua_zone_size_bytes", "33554432"),
                ("hotlua_zone_used_bytes", "1310720"),
                (r#"hotlua_worker_generation{worker="0"}"#, "7"),
                (r#"hotlua_worker_generation{worker="1"}"#, "6"),
                (r#"hotlua_worker_modules{worker="0"}"#, "31"),
                (r#"hotlua_worker_modules{worker="1"}"#, "0"),
                (r#"hotlua_worker_pinned_requests{worker="0",generation="5"}"#, "1"),
                (r#"hotlua_worker_pinned_requests{worker="0",generation="6"}"#, "2"),
                (r#"hotlua_worker_pinned_timers{worker="0",generation="5"}"#, "4"),
            ]
        );
        assert!(text.contains("# TYPE hotlua_generation gauge\n"), "{text}");
        assert!(text.contains("# TYPE hotlua_activations_total counter\n"), "{text}");
        assert!(!text.contains("sandbox"), "{text}");
        let refused = hot::Status { candidate: None, last_error: Some("boom".into()), ..status() };
        let text = encode(&refused, changes, &[]).unwrap();
        assert!(text.contains("\nhotlua_candidate 0\n") && text.contains("\nhotlua_last_error 1\n"), "{text}");
    }

    #[test]
    fn each_profile_is_told_and_its_name_escaped() {
        let tenants = sandbox::Totals {
            profile: "tenants".into(),
            ok: 12,
            ended: [1, 2, 3, 4, 5],
            instructions: 9_007_199_254_740_991,
            slices: 7,
            created: 8,
            evicted: 9,
            replaced: 10,
            vms: 11,
            waiting: 13,
            paused: 14,
        };
        let odd = sandbox::Totals { profile: "a\\b\"c\nd é".into(), ..sandbox::Totals::default() };
        let text = encode(&hot::Status::default(), hot::Totals::default(), &[tenants, odd]).unwrap();
        let of = |profile: &str| {
            let label = format!("profile=\"{profile}\"");
            let own = samples(&text).into_iter().filter_map(|(name, value)| {
                let short = name.strip_prefix("hotlua_sandbox_")?;
                short.contains(&label).then(|| (short.replace(&label, "P"), value))
            });
            own.collect::<Vec<_>>()
        };
        let figures = |values: [&'static str; 14]| {
            let names = [
                r#"runs_total{P,result="ok"}"#,
                r#"runs_total{P,result="cpu"}"#,
                r#"runs_total{P,result="time"}"#,
                r#"runs_total{P,result="memory"}"#,
                r#"runs_total{P,result="output"}"#,
                r#"runs_total{P,result="error"}"#,
                "instructions_total{P}",
                "slices_total{P}",
                "waiting_runs{P}",
                "paused_runs{P}",
                "vms{P}",
                "vms_created_total{P}",
                "vms_evicted_total{P}",
                "vms_replaced_total{P}",
            ];
            names.map(str::to_owned).into_iter().zip(values).collect::<Vec<_>>()
        };
        let want = ["12", "1", "2", "3", "4", "5", "9007199254740991", "7", "13", "14", "11", "8", "9", "10"];
        assert_eq!(of("tenants"), figures(want));
        assert_eq!(of(r#"a\\b\"c\nd é"#), figures(["0"; 14]));
    }
}
