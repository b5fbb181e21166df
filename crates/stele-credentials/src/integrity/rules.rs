//! The rules of Data Integrity, JSON-LD and the VC data model that can refuse a document.

crate::refusal::refusal_table! {
    TOO_LARGE: "integrity.too-large", refuses_large_and_deep_values,
        "The document has more parts than this program accepts.", "Ask the sender for a smaller document, without embedded files.";
    TOO_DEEP: "integrity.too-deep", refuses_large_and_deep_values,
        "The document nests its parts deeper than this program accepts.", "No ordinary credential does; ask the sender what it is.";
    NUMBER_UNSAFE: "integrity.number-unsafe", refuses_large_and_deep_values,
        "The document holds a number so large that programs read it differently.", "Ask the issuer to write the number as text.";
    TOO_TANGLED: "integrity.too-tangled", a_poisoned_graph_is_refused_in_time,
        "The document has too many parts that look alike to be put in an order.", "Ask the issuer to give its parts identifiers.";
    CONTEXT_UNKNOWN: "integrity.context-unknown", each_way_to_lose_a_claim_is_refused,
        "The document takes the meaning of its words from a context that is not kept here.", "Contexts are never fetched; ask the operator to add it to the bundled ones.";
    CONTEXT_INVALID: "integrity.context-invalid", each_way_to_lose_a_claim_is_refused,
        "The document defines its words in a way that makes no sense.", "Ask the issuer for a corrected document.";
    CONTEXT_SWAP: "integrity.context-swap", each_way_to_lose_a_claim_is_refused,
        "The document gives another meaning to a word whose meaning is protected.", "Do not rely on the document; it may have been altered.";
    SYNTAX_UNSUPPORTED: "integrity.syntax-unsupported", each_way_to_lose_a_claim_is_refused,
        "The document is written in a way that credentials may not use here.", "Ask the issuer for a document in plain JSON-LD.";
    TERM_UNDEFINED: "integrity.term-undefined", each_way_to_lose_a_claim_is_refused,
        "The document uses a word that none of its contexts defines, so no signature covers it.", "Do not rely on the document; a claim may have been added to it.";
    IRI_INVALID: "integrity.iri-invalid", each_way_to_lose_a_claim_is_refused,
        "An identifier in the document is not a complete address.", "Ask the issuer to write identifiers in full, such as https://example.org/1.";
    LANGUAGE_INVALID: "integrity.language-invalid", each_way_to_lose_a_claim_is_refused,
        "The document names a language in a way that no one knows.", "Language tags look like de or pt-BR.";
    VALUE_INVALID: "integrity.value-invalid", each_way_to_lose_a_claim_is_refused,
        "A value in the document would be lost when its signature is checked.", "Ask the issuer to leave the field away instead of leaving it empty.";
    POINTER_INVALID: "integrity.pointer-invalid", pointers_that_lead_nowhere_are_refused,
        "A field that was asked for is not in the document, or cannot be shown alone.", "Choose among the fields that the document has.";
    CREDENTIAL_STRUCTURE: "credential.structure", the_data_models_files_are_judged_as_their_names_say,
        "The credential is not built as the W3C data model demands.", "Ask the issuer for a corrected credential.";
    PROOF_MISSING: "integrity.proof-missing", each_rule_of_time_and_purpose_refuses,
        "The document is not signed.", "Ask the holder for the signed document.";
    PROOF_MALFORMED: "integrity.proof-malformed", each_rule_of_time_and_purpose_refuses,
        "The signature part of the document is not well formed.", "Ask the holder for the document again; it may have been cut.";
    SUITE_UNKNOWN: "integrity.suite-unknown", each_rule_of_time_and_purpose_refuses,
        "The document is signed by a method that is not known here.", "Ask the issuer for a signature by eddsa-jcs-2022, eddsa-rdfc-2022, ecdsa-rdfc-2019 or bbs-2023.";
    SIGNATURE_BAD: "integrity.signature-bad", an_altered_copy_is_refused_by_each_suite,
        "The signature does not fit the document: one of them was changed, or the key is another.", "Do not rely on the document; ask the issuer.";
    PROOF_EXPIRED: "integrity.proof-expired", each_rule_of_time_and_purpose_refuses,
        "The signature was only good until a time that has passed.", "Ask for a fresh one.";
    PROOF_FROM_THE_FUTURE: "integrity.proof-from-future", each_rule_of_time_and_purpose_refuses,
        "The signature says it was made later than now.", "Check the clocks of both sides.";
    PURPOSE_WRONG: "integrity.purpose-wrong", each_rule_of_time_and_purpose_refuses,
        "The signature was made for another purpose.", "A credential is signed to assert it, a presentation to authenticate its holder.";
    DOMAIN_WRONG: "integrity.domain-wrong", each_rule_of_time_and_purpose_refuses,
        "The presentation was made for someone else.", "Ask the holder to present it to you.";
    CHALLENGE_WRONG: "integrity.challenge-wrong", each_rule_of_time_and_purpose_refuses,
        "The presentation does not answer the question that was just asked; it may be a copy of an old one.", "Start the presentation again.";
    CONTROLLER_UNKNOWN: "integrity.controller-unknown", issuer_and_signature_are_bound_apart,
        "Nothing says whose key the document was signed with.", "Get the identity document of the signer.";
    KEY_NOT_LISTED: "integrity.key-not-listed", issuer_and_signature_are_bound_apart,
        "The signer's identity document does not list the key for this purpose.", "The key may have been replaced; get the document of the time of signing.";
    KEY_MALFORMED: "integrity.key-malformed", issuer_and_signature_are_bound_apart,
        "The key is not one that this signature method can use.", "Ask the issuer for its current identity document.";
    ISSUER_MISMATCH: "integrity.issuer-mismatch", issuer_and_signature_are_bound_apart,
        "The document names one issuer, but someone else signed it.", "Do not rely on the document.";
    HOLDER_MISMATCH: "integrity.holder-mismatch", self_asserted_credentials_are_the_holders,
        "The presentation contains an unsigned credential that does not come from its holder.", "Ask for the credential signed by its issuer.";
    BASE_PROOF: "integrity.base-proof", a_base_proof_is_for_the_holder_alone,
        "The document holds the secret form of its signature, which lets everyone follow it.", "The holder's program must derive a proof before presenting.";
}
