//! Where coroutines wait that are too many for mlua's references.
//!
//! A reference of mlua's is a slot of one Lua stack, which LuaJIT ends at 8,000 (`LUAI_MAXCSTACK`).

use std::cell::{Cell, RefCell};

use mlua::{Lua, Table, Thread};

/// So many coroutines are held by references, and those that wait beyond it in the table.
const REFERENCES: usize = 2048;

/// The coroutines of a VM that wait, by number.
pub(super) struct Parked {
    threads: Table,
    free: RefCell<Vec<u32>>,
    last: Cell<u32>,
    references: Cell<usize>,
}

/// How a coroutine is held.
pub(super) enum Held {
    /// By one of the references.
    Reference(Thread),
    /// In the table.
    Parked(u32),
    /// It has ended.
    Ended,
}

impl Parked {
    pub(super) fn new(lua: &Lua) -> mlua::Result<Self> {
        let threads = lua.create_table()?;
        Ok(Self { threads, free: RefCell::default(), last: Cell::default(), references: Cell::default() })
    }

    /// Holds a coroutine by a reference.
    pub(super) fn hold(&self, thread: Thread) -> Held {
        self.references.set(self.references.get() + 1);
        Held::Reference(thread)
    }

    /// What is held now: the coroutine by a reference, and nothing.
    pub(super) fn take(&self, held: &mut Held) -> Option<Thread> {
        match std::mem::replace(held, Held::Ended) {
            Held::Reference(thread) => {
                self.references.set(self.references.get() - 1);
                Some(thread)
            }
            Held::Parked(number) => {
                let thread = self.threads.raw_get(number).ok();
                self.let_go(number);
                thread
            }
            Held::Ended => None,
        }
    }

    /// Holds one that was parked by a reference again.
    #[inline]
    pub(super) fn fetch(&self, held: &mut Held) {
        if matches!(held, Held::Parked(_))
            && let Some(thread) = self.take(held)
        {
            *held = self.hold(thread);
        }
    }

    /// Lets go of what is held.
    pub(super) fn drop(&self, held: &mut Held) {
        match std::mem::replace(held, Held::Ended) {
            Held::Reference(_) => self.references.set(self.references.get() - 1),
            Held::Parked(number) => self.let_go(number),
            Held::Ended => {}
        }
    }

    /// Keeps it in the table while it waits, where there are many. Where memory runs out it stays as it is.
    #[inline]
    pub(super) fn park(&self, held: &mut Held) {
        if self.references.get() > REFERENCES {
            self.put(held);
        }
    }

    #[cold]
    fn put(&self, held: &mut Held) {
        let Held::Reference(thread) = &held else { return };
        let number = self.free.borrow_mut().pop().unwrap_or_else(|| {
            self.last.set(self.last.get() + 1);
            self.last.get()
        });
        if self.threads.raw_set(number, thread).is_ok() {
            self.references.set(self.references.get() - 1);
            *held = Held::Parked(number);
        } else {
            self.free.borrow_mut().push(number);
        }
    }

    fn let_go(&self, number: u32) {
        // A slot that is there takes no memory to clear.
        let _ = self.threads.raw_set(number, mlua::Nil);
        self.free.borrow_mut().push(number);
    }
}
