// Public keys and signature suites: docs/format.md section 2.

import { bls12_381 } from "@noble/curves/bls12-381.js";
import { ed25519 } from "@noble/curves/ed25519.js";
import { p256 } from "@noble/curves/nist.js";
import { sha256 } from "@noble/hashes/sha2.js";
import { ml_dsa65 } from "@noble/post-quantum/ml-dsa.js";
import { TextError, concat, fromBase32, toBase32, utf8 } from "./bytes.js";
import { decodeStrict } from "./cbor.js";
import * as shape from "./shape.js";

/** The COSE names of the suites that this verifier knows. SM2 is an optional feature that it lacks. */
export type SuiteName = "Ed25519" | "ES256" | "ML-DSA-65" | "Ed25519+ML-DSA-65" | "BLS12-381";

/** A public key with its suite and thumbprint. */
export interface PublicKey {
  readonly suite: SuiteName;
  /** COSE Key thumbprint with SHA-256 (RFC 9679). */
  readonly kid: Uint8Array;
  /** The deterministic COSE_Key. */
  readonly encoded: Uint8Array;
  /** Whether a party may sign with it: not a key of networks alone, and no Ed25519 point of small order. */
  readonly isForParties: boolean;
  /** Whether this key's suite goes by that COSE algorithm number. */
  fits(alg: bigint): boolean;
  /** Whether the signature over the message is good. Never throws on a bad signature. */
  verify(message: Uint8Array, signature: Uint8Array): boolean;
}

/** A key of a suite that this verifier lacks. */
export class UnsupportedSuiteError extends shape.ShapeError {}

function unsupported(what: string): never {
  throw new UnsupportedSuiteError(`${what} belongs to a suite that this verifier lacks`);
}

const ML_DSA_PUBLIC = 1952;
const ML_DSA_SIGNATURE = 3309;

interface Material {
  suite: SuiteName;
  algorithms: readonly bigint[];
  signatureLength: number;
  isForParties: boolean;
  check(message: Uint8Array, signature: Uint8Array): boolean;
}

/** Reads a COSE_Key that has exactly the members of its thumbprint. Throws ShapeError or CborError. */
export function publicKeyFromCose(encoded: Uint8Array): PublicKey {
  const { suite, algorithms, signatureLength, isForParties, check } = material(encoded);
  return {
    suite,
    encoded,
    isForParties,
    kid: sha256(encoded),
    fits: (alg) => algorithms.includes(alg),
    verify: (message, signature) => signature.length === signatureLength && quiet(() => check(message, signature)),
  };
}

function material(encoded: Uint8Array): Material {
  const item = decodeStrict(encoded);
  const members = shape.labels(item, "the key", [1], [3, -1, -2, -3]);
  switch (shape.int(members[1], "the key type")) {
    case 1n: {
      const okp = shape.labels(item, "the OKP key", [1, -1, -2]);
      if (shape.int(okp[-1], "the curve") !== 6n) unsupported("the curve");
      return ed25519Material(shape.bytes(okp[-2], "x", 32, 32));
    }
    case 2n: {
      const ec2 = shape.labels(item, "the EC2 key", [1, -1, -2, -3]);
      if (shape.int(ec2[-1], "the curve") !== 1n) unsupported("the curve");
      return es256Material(shape.bytes(ec2[-2], "x", 32, 32), shape.bytes(ec2[-3], "y", 32, 32));
    }
    case 7n: {
      const akp = shape.labels(item, "the AKP key", [1, 3, -1]);
      return akpMaterial(shape.int(akp[3], "the algorithm"), shape.bytes(akp[-1], "the public key"));
    }
    default:
      return unsupported("the key type");
  }
}

function ed25519Material(point: Uint8Array): Material {
  // As ZIP-215 reads points: also in their other encodings, and those of small order.
  if (!quiet(() => (ed25519.Point.fromBytes(point, true), true))) shape.refuse("the key", "is not a point of edwards25519");
  return {
    suite: "Ed25519",
    isForParties: !ed25519.Point.fromBytes(point, true).isSmallOrder(),
    algorithms: [-19n, -8n],
    signatureLength: 64,
    check: (message, signature) => ed25519.verify(signature, message, point, { zip215: true }),
  };
}

function es256Material(x: Uint8Array, y: Uint8Array): Material {
  const point = concat(Uint8Array.of(4), x, y);
  if (!quiet(() => (p256.Point.fromBytes(point).assertValidity(), true))) {
    shape.refuse("the key", "is not a point of P-256");
  }
  return {
    suite: "ES256",
    isForParties: true,
    algorithms: [-7n],
    signatureLength: 64,
    check: (message, signature) => p256.verify(signature, message, point, { lowS: false }),
  };
}

function akpMaterial(alg: bigint, key: Uint8Array): Material {
  if (alg === -49n) {
    if (key.length !== ML_DSA_PUBLIC) shape.refuse("the ML-DSA-65 key", `has ${key.length} bytes`);
    return {
      suite: "ML-DSA-65",
      isForParties: true,
      algorithms: [alg],
      signatureLength: ML_DSA_SIGNATURE,
      check: (message, signature) => ml_dsa65.verify(signature, message, key),
    };
  }
  if (alg === -65602n) return blsMaterial(key);
  if (alg !== -65600n) unsupported("the algorithm");
  if (key.length !== 32 + ML_DSA_PUBLIC) shape.refuse("the hybrid key", `has ${key.length} bytes`);
  const classical = ed25519Material(key.subarray(0, 32));
  return {
    suite: "Ed25519+ML-DSA-65",
    isForParties: classical.isForParties,
    algorithms: [alg],
    signatureLength: 64 + ML_DSA_SIGNATURE,
    check: (message, signature) =>
      classical.check(message, signature.subarray(0, 64)) &&
      ml_dsa65.verify(signature.subarray(64), message, key.subarray(32)),
  };
}

const BLS_PUBLIC = 96;
const BLS_SIGNATURE = 48;
const BLS_DST = "BLS_SIG_BLS12381G1_XMD:SHA-256_SSWU_RO_POP_";

/** The key of a network of several validators: signatures in G1, keys in G2 (draft-irtf-cfrg-bls-signature). */
function blsMaterial(key: Uint8Array): Material {
  if (key.length !== BLS_PUBLIC) shape.refuse("the BLS12-381 key", `has ${key.length} bytes`);
  let point: ReturnType<typeof bls12_381.G2.Point.fromBytes>;
  try {
    point = bls12_381.G2.Point.fromBytes(key);
    point.assertValidity();
    // The libraries read the point at infinity; as a key it would verify anything.
    if (point.is0()) throw new Error("infinity");
  } catch {
    shape.refuse("the key", "is not a point of the subgroup of G2 of BLS12-381");
  }
  return {
    suite: "BLS12-381",
    isForParties: false,
    algorithms: [-65602n],
    signatureLength: BLS_SIGNATURE,
    check: (message, signature) => {
      const given = bls12_381.G1.Point.fromBytes(signature);
      given.assertValidity();
      if (given.is0()) return false;
      const hashed = bls12_381.shortSignatures.hash(message, BLS_DST);
      return bls12_381.shortSignatures.verify(given, hashed, point);
    },
  };
}

/** The party id in a DID. Throws TextError. */
export function partyIdOfDid(did: string): Uint8Array {
  const id = did.startsWith(DID_PREFIX) ? fromBase32(did.slice(DID_PREFIX.length)) : new Uint8Array(0);
  if (id.length !== 32) throw new TextError("not the DID of a party");
  return id;
}

/** The libraries throw on points and scalars out of range; for a verifier that is a bad signature. */
function quiet(check: () => boolean): boolean {
  try {
    return check();
  } catch {
    return false;
  }
}

const DID_PREFIX = "did:stele:";

/** The party id that belongs to the kid of a party's first key. */
export function partyIdOfFirstKey(kid: Uint8Array): Uint8Array {
  return sha256(concat(utf8("stele/party/v1"), kid));
}

/** The DID of a party id. */
export function partyDid(party: Uint8Array): string {
  return DID_PREFIX + toBase32(party);
}
