//! Damaged and hostile messages, and failures within.

use hickory_proto::op::{Edns, ResponseCode};
use hickory_proto::rr::RecordType;
use proptest::prelude::*;

use super::answers::CASES;
use super::*;

proptest! {
    #[test]
    fn any_octets_are_answered_or_not_but_never_crash(
        bytes in proptest::collection::vec(any::<u8>(), 0..300),
    ) {
        crate::dns::fuzz_question(&bytes);
    }

    #[test]
    fn damaged_questions_never_crash(
        case in 0..CASES.len(), cuts in proptest::collection::vec((0_usize..90, any::<u8>()), 0..4),
    ) {
        thread_local!(static RESPONDER: Responder = responder(&over_root()));
        let (name, kind) = CASES[case].0.split_once(' ').unwrap();
        let mut question = query(name, kind_of(kind));
        question.edns = Some(Edns::new());
        let mut bytes = question.to_vec().unwrap();
        for (at, octet) in cuts {
            if let Some(place) = bytes.get_mut(at) {
                *place = octet;
            }
        }
        let answered = RESPONDER.with(|responder| ask_udp(responder, &bytes));
        prop_assert_eq!(answered.is_none(), bytes[2] & 0x80 != 0);
        if let Some(answer) = answered {
            prop_assert!(answer.metadata.response_code != ResponseCode::ServFail);
        }
        crate::dns::fuzz_question(&bytes);
    }
}

#[test]
fn a_torn_row_is_a_failure_of_ours() {
    let responder = responder(&over_root());
    let question = query("torn._id.118.88.id.example.", RecordType::TXT);
    let reply = ask(&responder, &question);
    assert_eq!(reply.metadata.response_code, ResponseCode::ServFail);
    assert!(!reply.metadata.authoritative && reply.answers.is_empty());
}

#[test]
fn a_panic_is_a_failure_of_ours() {
    let responder = responder_with(&over_root(), Arc::new(|| panic!("on purpose")));
    let reply = ask(&responder, &query("118.88.id.example.", RecordType::SOA));
    assert_eq!(reply.metadata.response_code, ResponseCode::ServFail);
    let reply = ask(&responder, &query("118.88.id.example.", RecordType::NS));
    assert_eq!(reply.answers.len(), 1);
}
