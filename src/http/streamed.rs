//! Answers of any length: piece by piece from the pool, no more in memory than a piece.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::body::Body;
use axum::http::header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::http::{HeaderValue, Response};
use bytes::Bytes;
use futures_util::stream::try_unfold;

use super::App;
use super::limits::Share;
use super::problem::Problem;
use crate::pool::PoolError;

/// Makes the next piece, on the pool; none behind the last. Pieces may be empty.
pub(super) trait Produce: Send + 'static {
    /// The next piece.
    fn produce(&mut self) -> Result<Option<Vec<u8>>, Problem>;
}

impl<F: FnMut() -> Result<Option<Vec<u8>>, Problem> + Send + 'static> Produce for F {
    fn produce(&mut self) -> Result<Option<Vec<u8>>, Problem> {
        self()
    }
}

/// An answer with these pieces, for a file of this name. One that breaks off ends without its last
/// chunk, so that nobody takes it for whole.
pub(super) fn answer(
    app: Arc<App>,
    share: Share,
    media_type: &'static str,
    file: &'static str,
    pieces: impl Produce,
) -> Response<Body> {
    let pieces = Arc::new(Mutex::new(pieces));
    let stream = try_unfold((app, share, pieces), |(app, share, pieces)| async move {
        loop {
            let piece = next(&app, &pieces).await;
            let piece = piece.map_err(|problem| io::Error::other(problem.detail().to_owned()))?;
            match piece {
                Some(piece) if piece.is_empty() => {}
                Some(piece) => return Ok(Some((Bytes::from(piece), (app, share, pieces)))),
                None => return Ok::<_, io::Error>(None),
            }
        }
    });
    let mut response = Response::new(Body::from_stream(stream));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    super::answers::set(headers, CONTENT_DISPOSITION, &format!("attachment; filename=\"{file}\""));
    response
}

/// The next piece; waits while the pool is full.
async fn next(app: &App, pieces: &Arc<Mutex<impl Produce>>) -> Result<Option<Vec<u8>>, Problem> {
    loop {
        app.refuse_while_draining()?;
        let pieces = Arc::clone(pieces);
        let job = move || pieces.lock().unwrap_or_else(PoisonError::into_inner).produce();
        match app.pool.run(job).await {
            Ok(piece) => return piece,
            Err(PoolError::Overloaded(_)) => tokio::time::sleep(PAUSE).await,
            Err(error) => return Err(error.into()),
        }
    }
}

/// Pause before a full pool is asked again.
const PAUSE: Duration = Duration::from_millis(50);
