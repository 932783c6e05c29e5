//! The names that a profile may offer, and why the others are refused.

/// The names that a profile's scripts find.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Allow {
    /// Leaves, as a script spells them (`tostring`, `math.random`, `ngx.say`, `ngx.req.get_method`), sorted, each once. A library that was
    /// named as a whole stands here by all its leaves.
    pub names: Vec<&'static str>,
    /// The variables that `ngx.var` reads: whole names, or prefixes.
    pub variables: Vec<Variable>,
}

/// What `ngx.var.NAME` or `ngx.var.PREFIX*` allows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Variable {
    /// One variable.
    Named(String),
    /// Those whose names begin so.
    Prefix(String),
}
