//! What `GET status`, `GET generations` and `GET modules` answer: as `hot` tells it, with short file names and without
//! what is not known; the status also as `sandbox` tells it.

use std::path::PathBuf;

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

use crate::code::strip_root;
use crate::conf::Confs;
use crate::hot::{self, Generation, Module, State, Status};
use crate::nginx::Request;
use crate::sandbox::{self, Kind, Totals};

/// The code roots and the directories of untrusted scripts, by which a file's name is shortened.
pub struct Roots(Vec<PathBuf>);

impl Roots {
    /// Those of a request's configuration.
    pub fn of(request: &Request) -> Self {
        let main = request.main_conf::<Confs>();
        Self([main.code_roots(), main.untrusted_directories()].concat())
    }

    /// A file as it is written relative to the first root that it lies in; outside of them it stays as it is.
    fn shorten(&self, file: String) -> String {
        let inside = self.0.iter().find_map(|root| strip_root(root, file.as_bytes()));
        let short = inside.filter(|rest| !rest.is_empty()).map(|rest| String::from_utf8_lossy(rest).into_owned());
        short.unwrap_or(file)
    }

    /// Shortens each.
    pub fn shorten_all(&self, files: &mut [String]) {
        files.iter_mut().for_each(|file| *file = self.shorten(std::mem::take(file)));
    }
}

/// One generation of the list.
#[derive(Serialize)]
pub struct GenerationAnswer {
    generation: u64,
    state: State,
    reason: String,
    actor: String,
    time: f64,
    changed: Vec<String>,
    affected: Vec<String>,
    error: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<u32>,
}

/// One module of the list.
#[derive(Serialize)]
pub struct ModuleAnswer {
    name: String,
    file: String,
    hash: String,
    loaded_in: u64,
    requires: Vec<String>,
    required_by: Vec<String>,
    ffi: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

/// The status.
#[derive(Serialize)]
pub struct StatusAnswer {
    #[serde(flatten)]
    hot: Status,
    sandbox: Vec<ProfileAnswer>,
}

/// What one profile's scripts have come to.
struct ProfileAnswer(Totals);

impl Serialize for ProfileAnswer {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Totals { profile, ok, ended, instructions, slices, created, evicted, replaced, vms, waiting, paused } =
            &self.0;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("profile", profile)?;
        map.serialize_entry("ok", ok)?;
        for (kind, runs) in Kind::ALL.iter().zip(ended) {
            map.serialize_entry(kind.name(), runs)?;
        }
        for (name, figure) in [
            ("vms", vms),
            ("waiting", waiting),
            ("paused", paused),
            ("instructions", instructions),
            ("slices", slices),
            ("vms_created", created),
            ("vms_evicted", evicted),
            ("vms_replaced", replaced),
        ] {
            map.serialize_entry(name, figure)?;
        }
        map.end()
    }
}

/// What runs.
pub fn status() -> StatusAnswer {
    let sandbox = sandbox::totals().into_iter().map(ProfileAnswer).collect();
    StatusAnswer { hot: hot::status(), sandbox }
}

/// Every generation, newest first.
pub fn generations(request: &Request) -> Vec<GenerationAnswer> {
    let roots = Roots::of(request);
    hot::generations().into_iter().map(|generation| generation_answer(generation, &roots)).collect()
}

/// Every loaded module, by name.
pub fn modules(request: &Request) -> Vec<ModuleAnswer> {
    let roots = Roots::of(request);
    hot::modules().into_iter().map(|module| module_answer(module, &roots)).collect()
}

fn generation_answer(told: Generation, roots: &Roots) -> GenerationAnswer {
    let Generation { generation, state, reason, actor, time, mut changed, affected, error, file, line } = told;
    roots.shorten_all(&mut changed);
    GenerationAnswer { generation, state, reason, actor, time, changed, affected, error, file, line }
}

fn module_answer(told: Module, roots: &Roots) -> ModuleAnswer {
    let Module { name, file, hash, loaded_in, requires, required_by, ffi, reason } = told;
    let file = roots.shorten(file);
    ModuleAnswer { name, file, hash, loaded_in, requires, required_by, ffi, reason }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn roots() -> Roots {
        Roots(vec!["/srv/lua".into(), "/srv/lib/".into(), "/srv/lib/inner".into()])
    }

    #[test]
    fn a_file_of_a_root_is_told_relative_to_it() {
        for (file, want) in [
            ("/srv/lua/a/b.lua", "a/b.lua"),
            ("/srv/lib/b.lua", "b.lua"),
            ("/srv/lib/inner/c.lua", "inner/c.lua"),
            ("/srv/luax/a.lua", "/srv/luax/a.lua"),
            ("/usr/share/lua/x.lua", "/usr/share/lua/x.lua"),
            ("a/b.lua", "a/b.lua"),
            ("/srv/lua", "/srv/lua"),
        ] {
            assert_eq!(roots().shorten(file.to_owned()), want, "{file}");
        }
    }

    #[test]
    fn the_status_tells_of_the_sandbox_too() {
        let worker = hot::Worker {
            pid: 7,
            generation: 3,
            pinned: [(2, 1)].into(),
            timers: [(2, 3)].into(),
            ..hot::Worker::default()
        };
        let hot = Status { generation: 3, workers: vec![worker], ..Status::default() };
        let json = |sandbox| serde_json::to_string(&StatusAnswer { hot: hot.clone(), sandbox }).unwrap();
        let start = concat!(
            r#"{"generation":3,"candidate":null,"#,
            r#""workers":[{"pid":7,"slot":0,"generation":3,"pinned":{"2":1},"timers":{"2":3},"modules":0}],"#,
            r#""roots":[],"zone":{"size":0,"used":0},"last_error":null,"sandbox":"#
        );
        assert_eq!(json(Vec::new()), format!("{start}[]}}"));
        let totals = Totals {
            profile: "te\"nants".into(),
            ok: 12,
            ended: [1, 2, 3, 4, 5],
            instructions: 6,
            slices: 7,
            created: 8,
            evicted: 9,
            replaced: 10,
            vms: 11,
            waiting: 13,
            paused: 14,
        };
        let told = concat!(
            r#"{"profile":"te\"nants","ok":12,"cpu":1,"time":2,"memory":3,"output":4,"error":5,"vms":11,"waiting":13,"#,
            r#""paused":14,"instructions":6,"slices":7,"vms_created":8,"vms_evicted":9,"vms_replaced":10}"#
        );
        assert_eq!(json(vec![ProfileAnswer(totals)]), format!("{start}[{told}]}}"));
    }

    #[test]
    fn what_is_not_known_is_left_out() {
        let module = |reason: Option<&str>| {
            let module = Module {
                name: "a.b".into(),
                file: "/srv/lua/a/b.lua".into(),
                hash: "9f".into(),
                loaded_in: 7,
                requires: vec!["a.c".into()],
                required_by: Vec::new(),
                ffi: true,
                reason: reason.map(str::to_owned),
            };
            serde_json::to_string(&module_answer(module, &roots())).unwrap()
        };
        let start = r#"{"name":"a.b","file":"a/b.lua","hash":"9f","loaded_in":7,"requires":["a.c"],"required_by":[],"ffi":true"#;
        assert_eq!(module(None), format!("{start}}}"));
        assert_eq!(module(Some("cdef")), format!(r#"{start},"reason":"cdef"}}"#));

        let generation = |place: Option<(&str, u32)>| {
            let generation = Generation {
                generation: 8,
                state: State::Rejected,
                reason: "publish".into(),
                actor: "control ::1".into(),
                time: 1.5,
                changed: vec!["/srv/lua/a.lua".into()],
                affected: Vec::new(),
                error: place.map(|_| "boom".into()),
                file: place.map(|(file, _)| file.to_owned()),
                line: place.map(|(_, line)| line),
            };
            serde_json::to_string(&generation_answer(generation, &roots())).unwrap()
        };
        let start = r#"{"generation":8,"state":"rejected","reason":"publish","actor":"control ::1","time":1.5,"changed":["a.lua"],"affected":[]"#;
        assert_eq!(generation(None), format!(r#"{start},"error":null}}"#));
        assert_eq!(
            generation(Some(("/srv/lua/a.lua", 3))),
            format!(r#"{start},"error":"boom","file":"/srv/lua/a.lua","line":3}}"#)
        );
    }
}
