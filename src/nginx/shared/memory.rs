//! Shared memory as nginx gives it: asked for while the configuration is read, mapped when all of it was read.

use std::cell::Cell;
use std::ffi::c_void;
use std::ptr::NonNull;

use ngx::ffi::*;

use crate::nginx::conf::Conf;

/// What nginx calls once a zone is mapped, with the data of the same zone of the cycle before, or null.
pub(in crate::nginx) type Init = unsafe extern "C" fn(*mut ngx_shm_zone_t, *mut c_void) -> ngx_int_t;

/// What is called when all is mapped, with the log of the new cycle and the data that it was given.
pub(in crate::nginx) type Mapped = unsafe fn(*mut ngx_log_t, *mut c_void) -> ngx_int_t;

/// A zone that was asked for, and what its memory is made ready by.
type Asked = (NonNull<ngx_shm_zone_t>, Init);

thread_local! {
    /// What the configuration that is being read asked for last: nginx maps zones in the order of asking.
    static LAST: Cell<Option<Asked>> = const { Cell::new(None) };
    /// What the last zone's `init` is, and what goes on from there.
    static THEN: Cell<Option<(Init, Mapped, *mut c_void)>> = const { Cell::new(None) };
}

/// A configuration begins: what an earlier one asked for, which may have failed, is forgotten.
pub(in crate::nginx) fn begin() {
    LAST.set(None);
    THEN.set(None);
}

/// Asks nginx for shared memory of `size` bytes under `name`. `tag` tells the zones of one use from all others.
pub(in crate::nginx) fn ask(
    conf: &mut Conf,
    name: &[u8],
    size: usize,
    tag: &'static u8,
    init: Init,
) -> Result<NonNull<ngx_shm_zone_t>, String> {
    let mut name = conf.copy(name)?;
    let tag = std::ptr::from_ref(tag).cast_mut().cast();
    // SAFETY: nginx copies nothing but keeps the name, which the configuration's pool holds, and compares the tag, whose
    // address is the same in every cycle.
    let zone = unsafe { ngx_shared_memory_add(conf.as_ptr(), &raw mut name, size, tag) };
    let zone = NonNull::new(zone).ok_or("shared memory cannot be added")?;
    // SAFETY: nginx returned a zone of this cycle.
    unsafe { (*zone.as_ptr()).init = Some(init) };
    LAST.set(Some((zone, init)));
    Ok(zone)
}

/// Has `then` called once all is mapped that was asked for, the log files are open, and nginx can still go back to the
/// configuration before: it does if `then` says `NGX_ERROR`. Nothing is called where nothing was asked for.
///
/// # Safety
/// `then` may be called with `data` until the configuration's pool is destroyed.
pub(in crate::nginx) unsafe fn when_mapped(then: Mapped, data: *mut c_void) {
    if let Some((zone, init)) = LAST.get() {
        THEN.set(Some((init, then, data)));
        // SAFETY: a zone of the configuration that is being read.
        unsafe { (*zone.as_ptr()).init = Some(last_mapped) };
    }
}

unsafe extern "C" fn last_mapped(zone: *mut ngx_shm_zone_t, old: *mut c_void) -> ngx_int_t {
    let Some((init, then, data)) = THEN.take() else { return NGX_ERROR as _ };
    // SAFETY: nginx passes a mapped zone with the log of its cycle; `data` is valid by the promise made to `when_mapped`,
    // since nginx maps the memory right after it has read the configuration.
    unsafe {
        match init(zone, old) {
            rc if rc == NGX_OK as ngx_int_t => then((*zone).shm.log, data),
            rc => rc,
        }
    }
}
