use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Frame, SizeHint};

use super::framing::Framing;
use super::{Line, is_clean};
use crate::error::{BodyError, Lost};

/// The body of an answer, read from its connection as it is asked for.
pub(crate) struct Body {
    line: Option<Box<Line>>,
    framing: Framing,
    is_reusable: bool,
}

impl Body {
    pub(super) fn new(line: Box<Line>, framing: Framing, is_reusable: bool) -> Self {
        Self { line: Some(line), framing, is_reusable }
    }

    /// The connection, once the body is over and where another exchange may begin on it.
    pub(crate) fn take_line(&mut self) -> Option<Box<Line>> {
        if self.framing != Framing::Over {
            return None;
        }
        self.line.take().filter(|line| self.is_reusable && is_clean(line))
    }

    fn poll_data(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Bytes>, Lost>> {
        let Some(line) = &mut self.line else { return Poll::Ready(Ok(None)) };
        loop {
            if let Some(data) = self.framing.take(&mut line.read)? {
                return Poll::Ready(Ok(Some(data)));
            }
            if self.framing == Framing::Over {
                return Poll::Ready(Ok(None));
            }
            if ready!(line.poll_read(cx))? == 0 {
                if self.framing != Framing::UntilClose {
                    return Poll::Ready(Err(Lost::Closed));
                }
                self.framing = Framing::Over;
            }
        }
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let body = self.get_mut();
        match ready!(body.poll_data(cx)) {
            Ok(data) => Poll::Ready(data.map(|data| Ok(Frame::data(data)))),
            Err(lost) => {
                body.line = None;
                Poll::Ready(Some(Err(BodyError(lost))))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.framing == Framing::Over
    }

    fn size_hint(&self) -> SizeHint {
        match self.framing {
            Framing::Over => SizeHint::with_exact(0),
            Framing::Length(left) => SizeHint::with_exact(left),
            _ => SizeHint::default(),
        }
    }
}
