//! The profiles of a configuration: which there are, who uses them, and the variables that they name.

use std::rc::Rc;

use crate::nginx::KnownVariables;
use crate::sandbox::{Variable, closest};

use super::MainConf;

impl MainConf {
    /// `file:line` of the profile with that name.
    pub(super) fn profile_place(&self, name: &str) -> Option<&str> {
        let at = self.profiles.iter().position(|profile| profile.name == name)?;
        self.profile_places.get(at).map(String::as_str)
    }

    /// Finds the profile of every `content_by_sandbox_file`, once the whole configuration is read.
    ///
    /// # Errors
    /// Text that names the profile that there is not, and who asks for it.
    pub fn bind_profiles(&self) -> Result<(), String> {
        for user in &self.sandboxed {
            let profile = self.profiles.iter().find(|profile| profile.name == user.name).ok_or_else(|| {
                let Some(known) = self.profile_names() else {
                    return format!(
                        "unknown sandbox profile \"{name}\" in \"content_by_sandbox_file\" at {}, write a \
                         \"hotlua_sandbox {name} {{ ... }}\"",
                        user.place,
                        name = user.name
                    );
                };
                format!(
                    "unknown sandbox profile \"{}\" in \"content_by_sandbox_file\" at {}, the profiles are {known}",
                    user.name, user.place
                )
            })?;
            let _ = user.profile.set(Rc::clone(profile));
        }
        Ok(())
    }

    /// Checks that nginx knows the variables that profiles allow: `set` and `map` may define them behind the profile.
    ///
    /// # Errors
    /// Text that names the first variable that does not exist, and where it is allowed.
    pub fn check_profile_variables(&self, known: &KnownVariables) -> Result<(), String> {
        self.profile_variables.iter().try_for_each(|(variable, place)| check(variable, place, known))
    }

    /// The names of the profiles; none where there are none.
    fn profile_names(&self) -> Option<String> {
        let names: Vec<_> = self.profiles.iter().map(|profile| format!("\"{}\"", profile.name)).collect();
        (!names.is_empty()).then(|| names.join(", "))
    }
}

fn check(variable: &Variable, place: &str, known: &KnownVariables) -> Result<(), String> {
    match variable {
        Variable::Named(name) if !known.has(name) => Err(match closest(name, known.names.iter().map(String::as_str)) {
            Some(meant) => format!(
                "unknown variable \"{name}\" in \"allow ngx.var.{name}\" at {place}, did you mean \"ngx.var.{meant}\""
            ),
            None => format!("unknown variable \"{name}\" in \"allow ngx.var.{name}\" at {place}"),
        }),
        Variable::Prefix(start) if !known.has_any(start) => {
            Err(format!("no variable begins with \"{start}\", in \"allow ngx.var.{start}*\" at {place}"))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_must_be_known() {
        let known = KnownVariables { names: vec!["host".into()], prefixes: vec!["arg_".into()] };
        let named = |name: &str| Variable::Named(name.into());
        let prefix = |name: &str| Variable::Prefix(name.into());
        for (variable, want) in [
            (named("host"), ""),
            (named("arg_x"), ""),
            (prefix("ho"), ""),
            (prefix("arg_"), ""),
            (prefix("arg_x_"), ""),
            (named("hots"), "\"allow ngx.var.hots\" at f:1, did you mean \"ngx.var.host\""),
            (named("tenant"), "unknown variable \"tenant\" in \"allow ngx.var.tenant\" at f:1"),
            (prefix("agr_"), "no variable begins with \"agr_\", in \"allow ngx.var.agr_*\" at f:1"),
        ] {
            let error = check(&variable, "f:1", &known).err().unwrap_or_default();
            assert!(error.ends_with(want) && error.is_empty() == want.is_empty(), "{variable:?}: {error}");
        }
    }
}
