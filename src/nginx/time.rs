//! nginx's clock: cached, so that it costs no system call.

use ngx::ffi::*;

/// Seconds since the epoch, with milliseconds.
pub fn now() -> f64 {
    let time = ngx_timeofday();
    time.sec as f64 + time.msec as f64 / 1000.0
}

/// Whole seconds since the epoch.
pub fn time() -> i64 {
    ngx_timeofday().sec
}

/// Milliseconds of a clock that is never set, since a moment of the past.
pub fn monotonic() -> usize {
    // SAFETY: a plain variable of nginx, which only this thread and its signal handlers write.
    unsafe { ngx_current_msec }
}

/// Rereads the system's clock.
pub fn update_time() {
    // SAFETY: always allowed in a worker's thread.
    unsafe { ngx_time_update() }
}

/// `yyyy-mm-dd hh:mm:ss`, local.
pub fn local_time() -> String {
    let tp = ngx_timeofday();
    broken_down(tp.sec + tp.gmtoff as i64 * 60)
}

/// `yyyy-mm-dd hh:mm:ss` in UTC.
pub fn utc_time() -> String {
    broken_down(ngx_timeofday().sec)
}

fn broken_down(seconds: i64) -> String {
    // SAFETY: nginx fills the structure.
    let tm = unsafe {
        let mut tm: ngx_tm_t = std::mem::zeroed();
        ngx_gmtime(seconds, &raw mut tm);
        tm
    };
    format!("{:04}-{:02}-{:02} {:02}:{:02}:{:02}", tm.tm_year, tm.tm_mon, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec)
}

/// `Mon, 28 Sep 1970 06:00:00 GMT`
pub fn http_time(seconds: i64) -> String {
    formatted(seconds, ngx_http_time)
}

/// `Mon, 28-Sep-70 06:00:00 GMT`, with a four-digit year past 2037.
pub fn cookie_time(seconds: i64) -> String {
    formatted(seconds, ngx_http_cookie_time)
}

fn formatted(seconds: i64, format: unsafe extern "C" fn(*mut u_char, time_t) -> *mut u_char) -> String {
    let mut text = [0u8; 64];
    // SAFETY: nginx writes at most the length of `Mon, 28 Sep 1970 06:00:00 GMT`; a year has as many digits as an
    // i64 allows, which still fits.
    let length = unsafe { format(text.as_mut_ptr(), seconds).offset_from(text.as_ptr()) } as usize;
    String::from_utf8_lossy(&text[..length]).into_owned()
}

/// Reads an HTTP date; none where it is not one.
pub fn parse_http_time(text: &[u8]) -> Option<i64> {
    // SAFETY: nginx reads `text` only.
    let seconds = unsafe { ngx_parse_http_time(text.as_ptr().cast_mut(), text.len()) };
    (seconds != NGX_ERROR as time_t).then_some(seconds)
}
