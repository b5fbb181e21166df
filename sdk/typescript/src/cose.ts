// The COSE structures that signatures cover (RFC 9052 section 4.4).

import { encodeArray, encodeBytes, encodeText } from "./cbor.js";

/** The Sig_structure of a COSE_Sign1 without external data. */
export function sigStructure(protectedHeader: Uint8Array, payload: Uint8Array): Uint8Array {
  return encodeArray(
    encodeText("Signature1"),
    encodeBytes(protectedHeader),
    encodeBytes(new Uint8Array(0)),
    encodeBytes(payload),
  );
}

/** The structure that a version 2 countersignature covers (RFC 9338 section 3.3). */
export function countersignStructure(
  bodyProtected: Uint8Array,
  signProtected: Uint8Array,
  payload: Uint8Array,
  signature: Uint8Array,
): Uint8Array {
  return encodeArray(
    encodeText("CounterSignatureV2"),
    encodeBytes(bodyProtected),
    encodeBytes(signProtected),
    encodeBytes(new Uint8Array(0)),
    encodeBytes(payload),
    encodeArray(encodeBytes(signature)),
  );
}
