//! What was probably meant by a word that nothing is called.

/// The candidate that was probably meant; none where all are too different.
pub fn closest<'a>(word: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let word = word.to_ascii_lowercase();
    let distance = |candidate: &str| strsim::osa_distance(&word, &candidate.to_ascii_lowercase());
    candidates
        .map(|candidate| (distance(candidate), candidate))
        .filter(|&(distance, candidate)| distance <= candidate.len().div_ceil(3).min(word.len() / 2))
        .min_by_key(|&(distance, _)| distance)
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::closest;

    #[test]
    fn a_slip_is_seen_through() {
        let names = ["math", "memory", "time", "vms", "ngx.say"];
        for (word, want) in [
            ("mth", Some("math")),
            ("MATH", Some("math")),
            ("memroy", Some("memory")),
            ("mem", None),
            ("tim", Some("time")),
            ("times", Some("time")),
            ("vm", Some("vms")),
            ("ngx.sya", Some("ngx.say")),
            ("x", None),
            ("", None),
            ("frobnicate", None),
        ] {
            assert_eq!(closest(word, names.into_iter()), want, "{word}");
        }
    }
}
