//! Cosockets on a connection that a client has opened.

use std::rc::Rc;

use crate::nginx::{ClientStream, Request, StreamError};

use super::Cosocket;

impl Cosocket {
    /// One that reads the request's body.
    pub fn of_body(request: &Request) -> Result<Rc<Self>, StreamError> {
        request.body_stream().map(|stream| Self::of_stream(request, stream))
    }

    /// One that reads what the client sends from here on, and writes to it: nginx answers nothing more.
    pub fn of_client(request: &Request) -> Result<Rc<Self>, StreamError> {
        request.raw_stream().map(|stream| Self::of_stream(request, stream))
    }

    fn of_stream(request: &Request, stream: ClientStream) -> Rc<Self> {
        let socket = Rc::<Self>::default();
        socket.own(request);
        socket.open(Rc::new(stream), None);
        socket
    }
}
