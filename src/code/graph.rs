//! Who requires whom, and who must reload when a module changes.
//!
//! Edges have two sources: the literal `require`s of a text, and what loading
//! recorded. Both are kept, since a text shows lazy requires that have not run
//! yet, and a record shows computed names that no text shows.

use std::collections::{BTreeMap, BTreeSet};

/// Who requires: a module, or a chunk (the file of a `*_by_lua_file`) that no
/// `require` can name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Node {
    /// A module, by the name that `require` takes.
    Module(String),
    /// A handler's chunk, by its file.
    Chunk(String),
}

impl Node {
    /// The node of a module name.
    pub fn module(name: &str) -> Self {
        Node::Module(name.to_owned())
    }

    /// The node of a chunk's file.
    pub fn chunk(file: &str) -> Self {
        Node::Chunk(file.to_owned())
    }

    /// The module's name or the chunk's file.
    #[cfg(test)]
    pub fn name(&self) -> &str {
        match self {
            Node::Module(name) | Node::Chunk(name) => name,
        }
    }
}

/// What one node requires, by where it is known from.
#[derive(Clone, Debug, Default)]
struct Edges {
    literal: BTreeSet<String>,
    recorded: BTreeSet<String>,
}

impl Edges {
    fn contains(&self, to: &str) -> bool {
        self.literal.contains(to) || self.recorded.contains(to)
    }

    /// Sorted, each once.
    fn names(&self) -> impl Iterator<Item = &str> {
        self.literal.union(&self.recorded).map(String::as_str)
    }
}

/// The require graph of one generation. A candidate starts with a clone of the
/// active one's; thousands of modules are copied in milliseconds.
#[derive(Clone, Debug, Default)]
pub struct RequireGraph {
    edges: BTreeMap<Node, Edges>,
    /// `edges` turned round: a name to those that require it. Never holds an
    /// empty set.
    dependents: BTreeMap<String, BTreeSet<Node>>,
}

impl RequireGraph {
    /// Notes that `from` did require the module `to`, whatever its text says.
    /// Only a `to` that was found is to be recorded, or names made up by
    /// requests would grow the graph.
    pub fn record(&mut self, from: &Node, to: &str) {
        let edges = self.edges.entry(from.clone()).or_default();
        if edges.recorded.insert(to.to_owned()) {
            self.link(from, to);
        }
    }

    /// Replaces the literal requires of `from`; recorded ones stay. When the
    /// text of `from` changed, [`forget`](Self::forget) it first: what the old
    /// text was seen to require says nothing about the new one.
    pub fn set_requires(&mut self, from: &Node, literal: Vec<String>) {
        let literal = BTreeSet::from_iter(literal);
        for to in &literal {
            self.link(from, to);
        }
        let edges = self.edges.entry(from.clone()).or_default();
        let before = std::mem::replace(&mut edges.literal, literal);
        let gone: Vec<String> = before.into_iter().filter(|to| !edges.contains(to)).collect();
        for to in gone {
            self.unlink(from, &to);
        }
    }

    /// Drops what `node` requires. Those who require it stay its dependents:
    /// their text still names it, and if it comes back they must reload.
    pub fn forget(&mut self, node: &Node) {
        let Some(edges) = self.edges.remove(node) else {
            return;
        };
        for to in edges.names() {
            self.unlink(node, to);
        }
    }

    /// The modules that `node` requires, sorted; empty if it is unknown.
    pub fn requires(&self, node: &Node) -> Vec<&str> {
        self.edges.get(node).map_or_else(Vec::new, |edges| edges.names().collect())
    }

    /// Who requires `module` directly: modules, then chunks, each sorted.
    #[cfg(test)]
    pub fn required_by(&self, module: &str) -> Vec<&Node> {
        self.dependents.get(module).map_or_else(Vec::new, |nodes| nodes.iter().collect())
    }

    /// The modules to load anew when those of `changed` did change: they and
    /// all that require them, directly or through others, as far as `loaded`
    /// says so; dependencies before their dependents.
    ///
    /// A module that is not loaded is left out but looked through: it may have
    /// been dropped from `package.loaded` while a dependent still holds it.
    /// Chunks never appear, they keep nothing of a module between requests.
    /// In a cycle there is no right order; the one given depends on nothing
    /// but the graph and the set.
    pub fn affected(&self, changed: &[&str], loaded: impl Fn(&str) -> bool) -> Vec<String> {
        let mut found: BTreeSet<&str> = changed.iter().copied().collect();
        let mut pending: Vec<&str> = found.iter().copied().collect();
        while let Some(module) = pending.pop() {
            for node in self.dependents.get(module).into_iter().flatten() {
                if let Node::Module(name) = node
                    && found.insert(name)
                {
                    pending.push(name);
                }
            }
        }
        let order = self.load_order(&found);
        order.into_iter().filter(|name| loaded(name)).map(str::to_owned).collect()
    }

    /// Depth-first postorder within `modules`, on a stack of its own, since a
    /// chain of requires may be as long as the graph.
    fn load_order<'a>(&'a self, modules: &BTreeSet<&'a str>) -> Vec<&'a str> {
        let mut order = Vec::with_capacity(modules.len());
        let mut entered = BTreeSet::new();
        for start in modules {
            if !entered.insert(*start) {
                continue;
            }
            let mut stack = vec![(*start, self.requires(&Node::module(start)).into_iter())];
            while let Some((module, rest)) = stack.last_mut() {
                match rest.find(|to| modules.contains(to) && entered.insert(to)) {
                    Some(to) => stack.push((to, self.requires(&Node::module(to)).into_iter())),
                    None => {
                        order.push(*module);
                        stack.pop();
                    }
                }
            }
        }
        order
    }

    fn link(&mut self, from: &Node, to: &str) {
        match self.dependents.get_mut(to) {
            Some(nodes) => {
                nodes.insert(from.clone());
            }
            None => {
                let nodes = BTreeSet::from([from.clone()]);
                self.dependents.insert(to.to_owned(), nodes);
            }
        }
    }

    fn unlink(&mut self, from: &Node, to: &str) {
        if let Some(nodes) = self.dependents.get_mut(to) {
            nodes.remove(from);
            if nodes.is_empty() {
                self.dependents.remove(to);
            }
        }
    }
}

/// The files that `require(module)` tries, in the order of `package_path`:
/// templates divided by `;`, each `?` standing for the name with its dots as
/// slashes. As Lua's own searcher does, a template without `?` is tried as it
/// is; empty ones are skipped, so a `;;` must be expanded before.
pub fn candidates(package_path: &str, module: &str) -> Vec<String> {
    let file = module.replace('.', "/");
    let templates = package_path.split(';').filter(|template| !template.is_empty());
    templates.map(|template| template.replace('?', &file)).collect()
}

/// The module names under which `require` may find `file`, in the order of
/// `package_path`, each once: [`candidates`] turned round. The template's text
/// must be that of the path, and a dot in the place of `?` is no name, since
/// `require` would look for a slash there.
pub fn module_names(package_path: &str, file: &str) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for template in package_path.split(';') {
        let Some((before, after)) = template.split_once('?') else {
            continue;
        };
        // In `?/?.lua` each `?` takes an equal share of what is left.
        let marks = 1 + after.matches('?').count();
        let share = (file.len() + marks).checked_sub(template.len()).map(|left| left / marks);
        let Some(name) = share.and_then(|share| file.strip_prefix(before)?.get(..share)) else {
            continue;
        };
        let module = name.replace('/', ".");
        if !name.is_empty() && !name.contains('.') && template.replace('?', name) == file && !names.contains(&module) {
            names.push(module);
        }
    }
    names
}

/// A test for module names by a pattern as in the control API's `pattern=`:
/// `*` is any run of bytes, dots included and empty too, the rest literal.
/// `app.*` does not match `app`.
pub fn module_pattern(pattern: &str) -> impl Fn(&str) -> bool + use<> {
    let mut pieces: Vec<String> = pattern.split('*').map(str::to_owned).collect();
    // split yields one piece at least; with one only there is no `*`.
    let last = pieces.pop().unwrap_or_default();
    move |name| {
        let Some((first, middle)) = pieces.split_first() else {
            return name == last;
        };
        let rest = name.strip_prefix(first.as_str());
        let Some(mut rest) = rest.and_then(|rest| rest.strip_suffix(last.as_str())) else {
            return false;
        };
        // The leftmost place for each piece leaves most to the next.
        middle.iter().all(|piece| match rest.split_once(piece.as_str()) {
            Some((_, behind)) => {
                rest = behind;
                true
            }
            None => false,
        })
    }
}

#[cfg(test)]
#[path = "graph_tests.rs"]
mod tests;
