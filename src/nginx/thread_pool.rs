//! nginx's thread pools (`thread_pool`): work beside the event loop.

use std::ffi::c_void;
use std::mem::zeroed;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr::NonNull;

use ngx::ffi::*;

use crate::nginx::log::{Level, log_cycle};

/// A thread pool of the running configuration.
pub struct ThreadPool(NonNull<ngx_thread_pool_t>);

/// Too many tasks wait for a thread of the pool, which nginx has logged.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct QueueFull;

/// A task as nginx has it, and what it does. It lives from when it is posted until its event has run.
struct Task<T> {
    raw: ngx_thread_task_t,
    work: Option<Box<dyn FnOnce() -> T + Send>>,
    result: Option<T>,
    done: Option<Box<dyn FnOnce(Option<T>)>>,
}

impl ThreadPool {
    /// The pool of a name.
    pub fn find(name: &[u8]) -> Option<Self> {
        let mut name = ngx_str_t { len: name.len(), data: name.as_ptr().cast_mut() };
        // SAFETY: a worker's cycle; nginx compares the name and keeps nothing of it.
        NonNull::new(unsafe { ngx_thread_pool_get(ngx_cycle, &raw mut name) }).map(Self)
    }

    /// Has a thread do `work`; then the event loop calls `done` with what that has returned, or with nothing where it
    /// has panicked. A worker that exits waits for the thread, but calls nobody any more.
    pub fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
        done: impl FnOnce(Option<T>) + 'static,
    ) -> Result<(), QueueFull> {
        let task = Box::into_raw(Box::new(Task {
            // SAFETY: all-zero is what `ngx_thread_task_alloc` leaves in a task.
            raw: unsafe { zeroed() },
            work: Some(Box::new(work)),
            result: None,
            done: Some(Box::new(done)),
        }));
        // SAFETY: the task is boxed, and its own until `finished`; nginx reads its fields under the lock of the pool.
        unsafe {
            (*task).raw.ctx = task.cast();
            (*task).raw.handler = Some(work_on::<T>);
            (*task).raw.event.data = task.cast();
            (*task).raw.event.handler = Some(finished::<T>);
            (*task).raw.event.log = (*ngx_cycle).log;
            if ngx_thread_task_post(self.0.as_ptr(), &raw mut (*task).raw) != NGX_OK as ngx_int_t {
                drop(Box::from_raw(task));
                return Err(QueueFull);
            }
        }
        Ok(())
    }
}

/// Runs in a thread of the pool.
unsafe extern "C" fn work_on<T>(task: *mut c_void, _: *mut ngx_log_t) {
    let task = task.cast::<Task<T>>();
    // SAFETY: from the post to the event the thread alone touches `work` and `result`; `raw` is nginx's.
    unsafe {
        // Never borrowed as a whole: the event loop may look at `raw` meanwhile.
        let (work, result) = (&raw mut (*task).work, &raw mut (*task).result);
        if let Some(work) = (*work).take() {
            *result = catch_unwind(AssertUnwindSafe(work)).ok();
        }
    }
}

/// Runs in the event loop when the thread is done.
unsafe extern "C" fn finished<T>(event: *mut ngx_event_t) {
    // SAFETY: the event's data is the task that `run` leaked; nginx has taken it out of its queues.
    let mut task = unsafe { Box::from_raw((*event).data.cast::<Task<T>>()) };
    let result = task.result.take();
    let Some(done) = task.done.take() else { return };
    drop(task);
    if result.is_none() {
        log_cycle(Level::Alert, b"internal error: the Lua module panicked in a thread");
    }
    if catch_unwind(AssertUnwindSafe(|| done(result))).is_err() {
        log_cycle(Level::Alert, b"internal error: the Lua module panicked in an event");
    }
}
