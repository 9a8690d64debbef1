// peer.js FOLDER < circuits: runs every circuit with SEAL (node-seal, installed in FOLDER) and compares what both
// decrypt: BFV in every slot exactly, CKKS within 1e-5. Prints TAP; exit 77 when node-seal is not there.
'use strict'
const path = require('path')
const readline = require('readline')

let SEAL
try {
  SEAL = require(path.join(path.resolve(process.argv[2]), 'node_modules', 'node-seal'))
} catch (e) {
  console.log('1..0 # SKIP node-seal is not installed')
  process.exit(77)
}

function world(seal, kind, n) {
  const exact = kind === 'bfv'
  const p = seal.EncryptionParameters(exact ? seal.SchemeType.bfv : seal.SchemeType.ckks)
  p.setPolyModulusDegree(n)
  p.setCoeffModulus(seal.CoeffModulus.Create(n, Int32Array.from([46, 40, 40, 40, 47])))
  if (exact) p.setPlainModulus(seal.Modulus('65537'))
  const context = seal.Context(p, true, seal.SecurityLevel.tc128)
  if (!context.parametersSet()) throw new Error('SEAL refuses the parameters')
  const generator = seal.KeyGenerator(context)
  const secret = generator.secretKey()
  return {
    exact,
    scale: 2 ** 40,
    encoder: exact ? seal.BatchEncoder(context) : seal.CKKSEncoder(context),
    encryptor: seal.Encryptor(context, generator.createPublicKey()),
    decryptor: seal.Decryptor(context, secret),
    evaluator: seal.Evaluator(context),
    relin: generator.createRelinKeys(),
    galois: generator.createGaloisKeys(),
  }
}

// The primes differ, and with them the scale after a rescale: it is set to what it nearly is.
function apply(w, [name, i, j], wires, inputs) {
  const e = w.evaluator
  const [a, b] = [wires[i].clone(), wires[j].clone()]
  switch (name) {
    case 'add':
      return e.add(a, b)
    case 'sub':
      return e.sub(a, b)
    case 'neg':
      return e.negate(a)
    case 'rotate':
      return w.exact ? e.rotateRows(a, 1, w.galois) : e.rotateVector(a, 1, w.galois)
    case 'swap':
      return e.rotateColumns(a, w.galois)
    case 'add_plain':
      return e.addPlain(a, w.encoder.encode(Int32Array.from(inputs[j])))
    case 'mul_plain':
      return e.multiplyPlain(a, w.encoder.encode(Int32Array.from(inputs[j])))
    default: {
      const product = e.relinearize(e.multiply(a, b), w.relin)
      return w.exact ? product : e.rescaleToNext(product)
    }
  }
}

function run(w, c) {
  const wires = c.inputs.map((v) =>
    w.encryptor.encrypt(
      w.exact ? w.encoder.encode(Int32Array.from(v)) : w.encoder.encode(Float64Array.from(v), w.scale)))
  for (const op of c.ops) wires.push(apply(w, op, wires, c.inputs))
  const plain = w.decryptor.decrypt(wires[wires.length - 1])
  return w.exact ? w.encoder.decode(plain, true) : w.encoder.decode(plain)
}

async function main() {
  const seal = await SEAL()
  const worlds = {}
  let number = 0, bad = 0
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const c = JSON.parse(line)
    const w = (worlds[c.scheme] ??= world(seal, c.scheme, c.n))
    const got = run(w, c)
    let far = 0
    for (let i = 0; i < c.output.length; i++) {
      let d = Math.abs(got[i] - c.output[i])
      if (w.exact) d = Math.min(d, c.t - d) // both are modulo t
      if (!(d <= far)) far = d
    }
    const fine = far <= (w.exact ? 0 : 1e-5)
    number++
    bad += !fine
    console.log(`${fine ? 'ok' : 'not ok'} ${number} - ${c.scheme} ${c.ops.map((o) => o[0]).join(' ')}: largest ` +
      `difference ${far}`)
  }
  console.log(`1..${number}`)
  process.exit(bad || !number ? 1 : 0)
}

main()
