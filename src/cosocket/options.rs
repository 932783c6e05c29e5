//! The options of a cosocket's connection.

use crate::nginx::SocketOption;

use super::{Cosocket, SocketError};

impl Cosocket {
    /// What an option of its connection is.
    pub fn option(&self, option: SocketOption) -> Result<i32, SocketError> {
        let stream = self.connection()?.ok_or(SocketError::Closed)?;
        stream.option(option).map_err(SocketError::System)
    }

    /// Sets an option of its connection.
    pub fn set_option(&self, option: SocketOption, value: i32) -> Result<(), SocketError> {
        let stream = self.connection()?.ok_or(SocketError::Closed)?;
        stream.set_option(option, value).map_err(SocketError::System)
    }
}
