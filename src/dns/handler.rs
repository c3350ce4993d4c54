//! hickory's view of the room: its handler trait over the one [`Responder`].
//!
//! Our own loops hand messages to the responder as they came. What listens with hickory's loops, as
//! an embedder or a transport that only hickory has, asks through this type and gets the same
//! answers.

use std::sync::Arc;

use hickory_proto::op::{Edns, Header, HeaderCounts, Message, MessageType, Metadata, ResponseCode};
use hickory_server::net::runtime::Time;
use hickory_server::server::{Request, RequestHandler, ResponseHandler, ResponseInfo};
use hickory_server::zone_handler::MessageResponseBuilder;

use super::Responder;
use crate::pool::Pool;

/// Answers hickory's requests. hickory's own listeners cap nothing: they belong behind limits.
pub struct Handler {
    responder: Arc<Responder>,
    pool: Pool,
}

impl Handler {
    /// A handler that lets `responder` answer on the pool's threads.
    pub fn new(responder: Arc<Responder>, pool: Pool) -> Self {
        Self { responder, pool }
    }

    /// The answer as a message; none when the pool is full or the message deserves none.
    async fn answer(&self, request: &Request) -> Option<Message> {
        let responder = Arc::clone(&self.responder);
        let question = request.as_slice().to_vec();
        let answer = self.pool.run(move || responder.answer(&question)).await.ok()??;
        Message::from_vec(&answer).ok()
    }
}

#[async_trait::async_trait]
impl RequestHandler for Handler {
    async fn handle_request<R: ResponseHandler, T: Time>(
        &self,
        request: &Request,
        mut response: R,
    ) -> ResponseInfo {
        let answer = self.answer(request).await;
        let failed = || {
            let mut metadata =
                Metadata::new(request.metadata.id, MessageType::Response, request.metadata.op_code);
            metadata.response_code = ResponseCode::ServFail;
            metadata
        };
        let metadata = answer.as_ref().map_or_else(failed, |answer| answer.metadata);
        let answer = answer.unwrap_or_else(|| Message::response(metadata.id, metadata.op_code));
        let edns: Option<Edns> = answer.edns.clone();
        let mut builder = MessageResponseBuilder::from_message_request(request);
        if let Some(edns) = &edns {
            builder.edns(edns);
        }
        let message =
            builder.build(metadata, &answer.answers, &answer.authorities, [], &answer.additionals);
        response.send_response(message).await.unwrap_or_else(|error| {
            tracing::debug!(%error, "an answer could not be sent");
            Header { metadata, counts: HeaderCounts::default() }.into()
        })
    }
}
