//! A connection that sends what was written when it would otherwise wait: HTTP/2 writes an answer in three or four pieces,
//! and each piece that is sent by itself wakes the other side up.
//!
//! Whoever writes here flushes after every piece and then reads, to see what comes next. So a flush is put off until a
//! read finds nothing to read, which is just before the task goes to sleep.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// From so many bytes on nothing is gained by holding them back.
const HELD_MAX: usize = 16 * 1024;

/// A connection that sends late, and together.
#[derive(Debug)]
pub(super) struct Corked<T> {
    inner: T,
    held: Vec<u8>,
    /// So many of them were sent.
    sent: usize,
    /// The other side takes no more. This task is woken when it does.
    is_blocked: bool,
    /// The other side is to speak first, and has not yet.
    is_silent: bool,
    /// The other side sends no more, so there is no read that would have to wait.
    is_at_end: bool,
}

impl<T: AsyncRead + AsyncWrite + Unpin> Corked<T> {
    pub(super) fn new(inner: T) -> Self {
        Self { inner, held: Vec::new(), sent: 0, is_blocked: false, is_silent: false, is_at_end: false }
    }

    /// Makes one that sends nothing before the other side has: a server's greeting then goes out with its first answer.
    ///
    /// Source: RFC 9113, 3.4: the client sends its preface without waiting for the server's.
    pub(super) fn answering(inner: T) -> Self {
        Self { is_silent: true, ..Self::new(inner) }
    }

    fn poll_send(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.sent < self.held.len() {
            let written = Pin::new(&mut self.inner).poll_write(context, &self.held[self.sent..]);
            self.is_blocked = written.is_pending();
            match ready!(written)? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                count => self.sent += count,
            }
        }
        self.held.clear();
        self.held.shrink_to(4 * HELD_MAX);
        self.sent = 0;
        Poll::Ready(Ok(()))
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin> AsyncRead for Corked<T> {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let read = Pin::new(&mut self.inner).poll_read(context, buf);
        match &read {
            // If the other side takes no more, this task is woken when it does.
            Poll::Pending if self.is_silent => {}
            Poll::Pending => {
                if let Poll::Ready(Err(error)) = self.poll_send(context) {
                    return Poll::Ready(Err(error));
                }
            }
            Poll::Ready(result) => {
                self.is_silent = false;
                self.is_at_end |= result.is_err() || (buf.filled().len() == before && buf.remaining() > 0);
            }
        }
        read
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Corked<T> {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(context, &[IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let count = pieces.iter().map(|piece| piece.len()).sum();
        if self.held.len() + count >= HELD_MAX {
            ready!(self.poll_send(context))?;
        }
        if count >= HELD_MAX {
            return Pin::new(&mut self.inner).poll_write_vectored(context, pieces);
        }
        pieces.iter().for_each(|piece| self.held.extend_from_slice(piece));
        Poll::Ready(Ok(count))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.held.is_empty() || self.held.len() >= HELD_MAX || self.is_at_end || self.is_blocked {
            ready!(self.poll_send(context))?;
            return Pin::new(&mut self.inner).poll_flush(context);
        }
        // Whoever flushes may be done with reading for this time: once more, and that read sends.
        context.waker().wake_by_ref();
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_send(context))?;
        Pin::new(&mut self.inner).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::{Arc, Mutex};

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    /// Notes each write, and has an answer to read once there was one.
    #[derive(Clone, Default)]
    struct Pen {
        writes: Arc<Mutex<Vec<Vec<u8>>>>,
        is_answered: bool,
    }

    impl Pen {
        fn written(&self) -> Vec<String> {
            let writes = self.writes.lock().unwrap();
            writes.iter().map(|bytes| String::from_utf8_lossy(bytes).into_owned()).collect()
        }
    }

    impl AsyncRead for Pen {
        fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
            if self.is_answered || self.writes.lock().unwrap().is_empty() {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            self.is_answered = true;
            buf.put_slice(b"answer");
            Poll::Ready(Ok(()))
        }
    }

    impl AsyncWrite for Pen {
        fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
            self.writes.lock().unwrap().push(bytes.to_vec());
            Poll::Ready(Ok(bytes.len()))
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    struct Counting(Arc<AtomicUsize>);

    impl std::task::Wake for Counting {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// A waker, and how often it was used.
    fn counting() -> (std::task::Waker, Arc<AtomicUsize>) {
        let wakes = Arc::new(AtomicUsize::new(0));
        (Arc::new(Counting(Arc::clone(&wakes))).into(), wakes)
    }

    #[tokio::test]
    async fn what_is_written_piece_by_piece_is_sent_together_before_waiting() {
        let pen = Pen::default();
        let mut corked = Corked::new(pen.clone());
        for piece in ["one", "two"] {
            corked.write_all(piece.as_bytes()).await.unwrap();
            corked.flush().await.unwrap();
        }
        assert!(pen.written().is_empty());
        let mut answer = [0; 6];
        corked.read_exact(&mut answer).await.unwrap();
        assert_eq!(&answer, b"answer");
        corked.write_all(b"three").await.unwrap();
        corked.shutdown().await.unwrap();
        assert_eq!(pen.written(), ["onetwo", "three"]);
    }

    #[tokio::test]
    async fn a_server_says_nothing_before_the_client_has() {
        let (near, mut far) = tokio::net::UnixStream::pair().unwrap();
        let mut corked = Corked::answering(near);
        corked.write_all(b"greeting ").await.unwrap();
        corked.flush().await.unwrap();
        let mut said = [0; 2];
        let silence = tokio::time::timeout(std::time::Duration::from_millis(20), corked.read(&mut said)).await;
        assert!(silence.is_err());
        assert_eq!(far.try_read(&mut [0; 1]).unwrap_err().kind(), io::ErrorKind::WouldBlock);
        far.write_all(b"hi").await.unwrap();
        corked.read_exact(&mut said).await.unwrap();
        corked.write_all(b"answer").await.unwrap();
        corked.shutdown().await.unwrap();
        let mut heard = String::new();
        far.read_to_string(&mut heard).await.unwrap();
        assert_eq!(heard, "greeting answer");
    }

    #[tokio::test]
    async fn much_is_not_held_back() {
        let pen = Pen::default();
        let mut corked = Corked::new(pen.clone());
        corked.write_all(b"little").await.unwrap();
        corked.write_all(&vec![b'x'; HELD_MAX]).await.unwrap();
        assert_eq!(pen.written().iter().map(String::len).collect::<Vec<_>>(), [6, HELD_MAX]);
    }

    #[tokio::test]
    async fn nothing_is_held_back_when_there_is_no_read_to_come() {
        let (near, mut far) = tokio::net::UnixStream::pair().unwrap();
        let mut corked = Corked::new(near);
        far.shutdown().await.unwrap();
        assert_eq!(corked.read(&mut [0; 8]).await.unwrap(), 0);
        corked.write_all(b"last words").await.unwrap();
        corked.flush().await.unwrap();
        let mut heard = [0; 10];
        far.read_exact(&mut heard).await.unwrap();
        assert_eq!(&heard, b"last words");
    }

    #[tokio::test]
    async fn one_that_does_not_read_wakes_nobody_up() {
        let (near, far) = tokio::io::duplex(8);
        let mut corked = Corked::new(near);
        corked.write_all(&[b'x'; 20]).await.unwrap();
        let (waker, wakes) = counting();
        let mut context = Context::from_waker(&waker);
        let mut buf = [0; 8];
        for _ in 0..3 {
            assert!(Pin::new(&mut corked).poll_read(&mut context, &mut ReadBuf::new(&mut buf)).is_pending());
            assert!(Pin::new(&mut corked).poll_flush(&mut context).is_pending());
        }
        assert_eq!(wakes.load(Ordering::Relaxed), 0);
        let mut heard = [0; 20];
        let reading = tokio::spawn(async move {
            let mut far = far;
            far.read_exact(&mut heard).await.unwrap();
            heard
        });
        corked.flush().await.unwrap();
        assert_eq!(reading.await.unwrap(), [b'x'; 20]);
    }

    #[tokio::test]
    async fn what_the_other_side_does_not_take_is_sent_when_it_does() {
        let (near, mut far) = tokio::io::duplex(1024);
        let text: Vec<u8> = (0..100_000_u32).map(|n| n as u8).collect();
        let sent = text.clone();
        let sending = tokio::spawn(async move {
            let mut corked = Corked::new(near);
            corked.write_all(&sent).await.unwrap();
            corked.flush().await.unwrap();
            // Sends the rest while it waits.
            assert_eq!(corked.read(&mut [0; 1]).await.unwrap(), 0);
        });
        let mut heard = vec![0; text.len()];
        far.read_exact(&mut heard).await.unwrap();
        assert!(heard == text);
        drop(far);
        sending.await.unwrap();
    }
}
