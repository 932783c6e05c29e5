//! Values that are kept for long, and are too many for mlua's references: a reference is a slot of one Lua stack, which
//! LuaJIT ends at 8,000 (`LUAI_MAXCSTACK`), and one more panics. A Lua table has no such end.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use mlua::{FromLua, IntoLua, Lua, Nil, Table, WeakLua};

/// So many values are kept by references, which are quicker, and those beyond it in a table.
const REFERENCES: usize = 4096;

/// A table of values, by number from 1.
pub struct Anchors {
    lua: WeakLua,
    table: Table,
    free: RefCell<Vec<u32>>,
    last: Cell<u32>,
    /// How many values are kept by references instead.
    references: Cell<usize>,
}

/// Keeps one value of a table while it lives.
pub struct Anchor {
    anchors: Rc<Anchors>,
    number: u32,
}

impl Anchors {
    /// An empty table of a state.
    pub fn new(lua: &Lua) -> mlua::Result<Rc<Self>> {
        let (lua, table) = (lua.weak(), lua.create_table()?);
        Ok(Rc::new(Self { lua, table, free: RefCell::default(), last: Cell::default(), references: Cell::default() }))
    }

    /// The table itself, to be read.
    pub fn table(&self) -> &Table {
        &self.table
    }

    /// Keeps a value.
    ///
    /// # Errors
    /// Memory ran out.
    pub fn anchor(self: &Rc<Self>, value: impl IntoLua) -> mlua::Result<Anchor> {
        let number = self.free.borrow_mut().pop().unwrap_or_else(|| {
            self.last.set(self.last.get() + 1);
            self.last.get()
        });
        // From here on the number goes back where this fails.
        let anchor = Anchor { anchors: Rc::clone(self), number };
        self.table.raw_set(number, value)?;
        Ok(anchor)
    }

    /// Keeps a value by a reference.
    pub(super) fn keep<T>(self: &Rc<Self>, value: T) -> Kept<T> {
        self.references.set(self.references.get() + 1);
        Kept::Reference(value, Counted(Rc::clone(self)))
    }
}

impl Anchor {
    /// Its number in the table.
    pub fn number(&self) -> u32 {
        self.number
    }

    /// The value.
    pub fn get<T: FromLua>(&self) -> mlua::Result<T> {
        self.anchors.table.raw_get(self.number)
    }
}

impl Drop for Anchor {
    fn drop(&mut self) {
        // As a process ends it may outlive the state. A slot that is there takes no memory to clear.
        if self.anchors.lua.try_upgrade().is_some() && self.anchors.table.raw_set(self.number, Nil).is_ok() {
            self.anchors.free.borrow_mut().push(self.number);
        }
    }
}

/// A value of a VM that is kept for long.
pub enum Kept<T> {
    /// By a reference.
    Reference(T, Counted),
    /// In the VM's table.
    Anchored(Anchor),
}

/// Counts a reference while it lives.
pub struct Counted(Rc<Anchors>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.references.set(self.0.references.get() - 1);
    }
}

impl<T: FromLua + IntoLua + Clone> Kept<T> {
    /// The value.
    ///
    /// # Errors
    /// Memory ran out.
    #[inline]
    pub fn get(&self) -> mlua::Result<T> {
        match self {
            Self::Reference(value, _) => Ok(value.clone()),
            Self::Anchored(anchor) => anchor.get(),
        }
    }

    /// Moves it into the table where there are many references. Where memory runs out it stays as it is.
    #[inline]
    pub(super) fn settle(&mut self) {
        if let Self::Reference(value, counted) = self
            && counted.0.references.get() > REFERENCES
            && let Ok(anchor) = counted.0.anchor(value.clone())
        {
            *self = Self::Anchored(anchor);
        }
    }
}

#[cfg(test)]
mod tests {
    use mlua::Function;

    use super::*;

    #[test]
    fn more_values_are_kept_than_there_are_references() {
        let lua = Lua::new();
        let anchors = Anchors::new(&lua).unwrap();
        let kept = |number: usize| {
            let mut kept = anchors.keep(lua.load(format!("return {number}")).into_function().unwrap());
            kept.settle();
            kept
        };
        let mut many: Vec<Kept<Function>> = (0..20_000).map(kept).collect();
        // Those that go leave their numbers to others.
        many.truncate(10_000);
        many.extend((10_000..20_000).map(kept));
        assert_eq!(anchors.last.get() as usize, 20_000 - REFERENCES);
        for (number, kept) in many.iter().enumerate() {
            assert_eq!(kept.get().unwrap().call::<usize>(()).unwrap(), number);
        }
        drop(many);
        assert_eq!(anchors.references.get(), 0);
    }

    #[test]
    fn an_anchor_may_outlive_its_state() {
        let lua = Lua::new();
        let anchor = Anchors::new(&lua).unwrap().anchor("x").unwrap();
        assert_eq!(anchor.get::<String>().unwrap(), "x");
        drop(lua);
        drop(anchor);
    }
}
