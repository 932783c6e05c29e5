//! Letting go of a connection that another one may use.

use crate::nginx::{Request, Side};

use super::{Cosocket, SocketError};

impl Cosocket {
    /// Lets go of its connection, which is closed.
    ///
    /// # Errors
    /// It is not connected, another request's, something waits for it, or what it has read nobody has asked for.
    pub fn set_keepalive(&self, request: &Request) -> Result<(), SocketError> {
        self.check_idle(request)?;
        if self.ended[Side::Read as usize].get() || self.ended[Side::Write as usize].get() {
            return Err(SocketError::Closed);
        }
        if !self.reader.borrow().is_empty() {
            return Err(SocketError::Text(b"unread data in buffer".to_vec()));
        }
        self.drop_connection();
        Ok(())
    }
}
