//! Starts a program as `posix_spawn` does: in a child that borrows the worker's memory until it becomes the program. So
//! it costs the same however large the worker is, and needs nothing of what other threads may hold.
//!
//! (`posix_spawn` itself says only to the caller that a program could not be run; here that is a child that has ended.)

use std::ffi::{CString, c_char, c_int, c_void};
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::ptr::{null, null_mut};

use crate::nginx::socket::errno::Errno;

use super::{StartError, Streams};

/// What is to be run.
pub struct Command {
    arguments: Vec<CString>,
    environment: Option<Vec<CString>>,
    merges_stderr: bool,
}

impl Command {
    /// A program, looked for along the worker's `PATH` where its name has no `/`, and its arguments: all of them, with the
    /// name first. None where there is no name.
    pub fn new(arguments: Vec<CString>) -> Option<Self> {
        (!arguments.is_empty()).then_some(Self { arguments, environment: None, merges_stderr: false })
    }

    /// Gives it these variables (`NAME=value`) and no others. Otherwise it has the worker's.
    pub fn set_environment(&mut self, variables: Vec<CString>) {
        self.environment = Some(variables);
    }

    /// Makes its standard error its standard output.
    pub fn merge_stderr(&mut self) {
        self.merges_stderr = true;
    }

    /// The name of the program.
    pub fn program(&self) -> &[u8] {
        self.arguments.first().map_or(b"", |name| name.as_bytes())
    }
}

/// What the child gets to see: plain memory of the worker's.
struct Plan {
    arguments: *const *const c_char,
    environment: *const *const c_char,
    streams: [RawFd; 3],
    /// Written by the child: why the program could not be run.
    refused: c_int,
}

/// Room on the child's stack for the C library's search along `PATH`, beside what depends on the arguments.
const STACK: usize = 64 << 10;
/// The first descriptor that is none of the standard streams.
const FIRST_OTHER: RawFd = 3;
/// Signals are numbered from 1 to this.
const LAST_SIGNAL: c_int = 64;

/// Starts it. Signals must be blocked, for the worker's handlers must not run in the child.
pub(super) fn start(command: &Command) -> Result<(i32, Streams, Option<Errno>), StartError> {
    let (stdin, to_stdin) = pipe()?;
    let (from_stdout, stdout) = pipe()?;
    let (from_stderr, stderr) = if command.merges_stderr { None } else { Some(pipe()?) }.unzip();
    for end in [Some(&to_stdin), Some(&from_stdout), from_stderr.as_ref()].into_iter().flatten() {
        rustix::io::ioctl_fionbio(end, true).map_err(|error| failed("fcntl", error))?;
    }
    let arguments = pointers(&command.arguments);
    let environment = command.environment.as_deref().map(pointers);
    let streams = [stdin.as_raw_fd(), stdout.as_raw_fd(), stderr.as_ref().unwrap_or(&stdout).as_raw_fd()];
    let mut plan = Plan {
        arguments: arguments.as_ptr(),
        // SAFETY: the variable is the C library's and nginx sets it as a worker starts.
        environment: environment.as_ref().map_or_else(|| unsafe { environ }, |list| list.as_ptr()),
        streams,
        refused: 0,
    };
    // For a script without an interpreter's line the C library copies the arguments to the stack, and it puts
    // each directory of `PATH` before the program's name.
    let path = std::env::var_os("PATH").map_or(0, |path| path.len());
    let size = STACK + path + command.program().len() + size_of_val(arguments.as_slice());
    let mut stack: Vec<MaybeUninit<u128>> = Vec::with_capacity(size.div_ceil(size_of::<u128>()));
    // SAFETY: the stack grows down from its aligned end. Stack and plan outlive the child's use of them, because this
    // thread goes on only when the child has become the program or has ended (CLONE_VFORK).
    let pid = unsafe {
        let top = stack.as_mut_ptr().add(stack.capacity());
        libc::clone(
            become_program,
            top.cast(),
            libc::CLONE_VM | libc::CLONE_VFORK | libc::SIGCHLD,
            (&raw mut plan).cast(),
        )
    };
    if pid < 0 {
        return Err(StartError::Call("fork", Errno::last()));
    }
    // SAFETY: a plain field, which the child may have written.
    let refused = unsafe { (&raw const plan.refused).read_volatile() };
    let streams = Streams { stdin: to_stdin, stdout: from_stdout, stderr: from_stderr };
    Ok((pid, streams, (refused != 0).then(|| Errno::of(refused))))
}

unsafe extern "C" {
    static environ: *const *const c_char;
}

/// The pointers of a list for `execve`, with the null that ends it.
fn pointers(texts: &[CString]) -> Vec<*const c_char> {
    texts.iter().map(|text| text.as_ptr()).chain([null()]).collect()
}

/// A pipe's two ends: the one to read from and the one to write to.
fn pipe() -> Result<(OwnedFd, OwnedFd), StartError> {
    let mut ends = [0; 2];
    // SAFETY: the system writes two descriptors, which nobody else owns yet.
    let (read, write) = unsafe {
        if libc::pipe2(ends.as_mut_ptr(), libc::O_CLOEXEC) != 0 {
            return Err(StartError::Call("pipe", Errno::last()));
        }
        (OwnedFd::from_raw_fd(ends[0]), OwnedFd::from_raw_fd(ends[1]))
    };
    Ok((out_of_the_way(read)?, out_of_the_way(write)?))
}

/// Where the worker has no standard streams a pipe may be in their place.
fn out_of_the_way(end: OwnedFd) -> Result<OwnedFd, StartError> {
    if end.as_raw_fd() >= FIRST_OTHER {
        return Ok(end);
    }
    rustix::io::fcntl_dupfd_cloexec(&end, FIRST_OTHER).map_err(|error| failed("fcntl", error))
}

fn failed(call: &'static str, error: rustix::io::Errno) -> StartError {
    StartError::Call(call, Errno::of(error.raw_os_error()))
}

/// The child, on a stack of its own in the worker's memory: system calls only, nothing that allocates or panics.
extern "C" fn become_program(plan: *mut c_void) -> c_int {
    let plan = plan.cast::<Plan>();
    // SAFETY: the worker's thread waits and all that the plan points to is valid meanwhile. Descriptors and dispositions
    // of signals are the child's own. Handlers are gone before signals are let through, so none runs here.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = libc::SIG_DFL;
        for signal in 1..=LAST_SIGNAL {
            // Those that cannot be set have no handler either.
            libc::sigaction(signal, &raw const action, null_mut());
        }
        for (stream, fd) in [0, 1, 2].into_iter().zip((*plan).streams) {
            if libc::dup2(fd, stream) < 0 {
                return refuse(plan);
            }
        }
        close_others();
        let mut none = MaybeUninit::uninit();
        libc::sigemptyset(none.as_mut_ptr());
        libc::sigprocmask(libc::SIG_SETMASK, none.as_ptr(), null_mut());
        libc::execvpe(*(*plan).arguments, (*plan).arguments, (*plan).environment);
        refuse(plan)
    }
}

/// # Safety
/// As of the child.
unsafe fn refuse(plan: *mut Plan) -> c_int {
    // SAFETY: by this function's contract; the error's number is the C library's.
    unsafe {
        (&raw mut (*plan).refused).write_volatile(*libc::__errno_location());
        libc::_exit(1)
    }
}

/// Closes all but the standard streams: listening sockets, connections, logs.
///
/// # Safety
/// As of the child.
unsafe fn close_others() {
    // SAFETY: plain system calls.
    unsafe {
        if libc::syscall(libc::SYS_close_range, FIRST_OTHER, u32::MAX, 0) == 0 {
            return;
        }
        // Linux before 5.9.
        let mut limit = MaybeUninit::<libc::rlimit>::zeroed();
        libc::getrlimit(libc::RLIMIT_NOFILE, limit.as_mut_ptr());
        let limit = c_int::try_from(limit.assume_init().rlim_cur).unwrap_or(c_int::MAX);
        for fd in FIRST_OTHER..limit {
            libc::close(fd);
        }
    }
}
