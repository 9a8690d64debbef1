// seal.js FOLDER OURS.json OUT.json: times SEAL (node-seal, installed in FOLDER) at the rows of bench/engine.c, prints
// both and the ratio, and adds records in the form of glovebox-bench to OUT.json. Medians of at least three runs, one
// thread.
'use strict'
const fs = require('fs')
const path = require('path')
const [folder, ours, out] = process.argv.slice(2)
const SEAL = require(path.join(path.resolve(folder), 'node_modules', 'node-seal'))

// Data primes as in bench/engine.c or of the same sum; SEAL's key switching has one special prime, the last, and one
// digit a prime, so its relinearisation at 15 primes does more work than ours in 3 digits.
const WORLDS = [
  { kind: 'ckks', n: 8192, bits: [60, 40, 40, 60], rows: { 'mul+relin+rescale': 'N=2^13 L=3+1' } },
  { kind: 'ckks', n: 16384, bits: [60, ...Array(7).fill(40), 60], rows: { 'mul+relin+rescale': 'N=2^14 L=8+1' } },
  {
    kind: 'ckks', n: 32768, bits: [...Array(15).fill(40), 60],
    rows: {
      relinearise: 'N=2^15 L=15+4 d=3', rotate: 'N=2^15 L=15+4 d=3', 'encrypt, public key': 'N=2^15 L=15',
      'decrypt+decode': 'N=2^15 L=15', 'keygen, relin': 'N=2^15 L=15+4 d=3',
    },
  },
  { kind: 'bfv', n: 8192, bits: null, rows: { 'bfv mul+relin': 'exact-13, t 20 bits' } },
  { kind: 'bfv', n: 16384, bits: null, rows: { 'bfv mul+relin': 'exact-14, t 20 bits' } },
]

function world(seal, { kind, n, bits }) {
  const exact = kind === 'bfv'
  const p = seal.EncryptionParameters(exact ? seal.SchemeType.bfv : seal.SchemeType.ckks)
  p.setPolyModulusDegree(n)
  p.setCoeffModulus(bits ? seal.CoeffModulus.Create(n, Int32Array.from(bits)) :
    seal.CoeffModulus.BFVDefault(n, seal.SecurityLevel.tc128))
  if (exact) p.setPlainModulus(seal.PlainModulus.Batching(n, 20))
  const context = seal.Context(p, true, seal.SecurityLevel.tc128)
  if (!context.parametersSet()) throw new Error(`SEAL refuses ${kind} with N = ${n}`)
  const generator = seal.KeyGenerator(context)
  const encoder = exact ? seal.BatchEncoder(context) : seal.CKKSEncoder(context)
  const plain = exact ? encoder.encode(Int32Array.from({ length: n }, (_, i) => i % 1000)) :
    encoder.encode(Float64Array.from({ length: n / 2 }, (_, i) => Math.sin(i)), 2 ** 40)
  const encryptor = seal.Encryptor(context, generator.createPublicKey())
  return {
    exact, generator, encoder, plain, encryptor, a: encryptor.encrypt(plain),
    decryptor: seal.Decryptor(context, generator.secretKey()), evaluator: seal.Evaluator(context),
    relin: generator.createRelinKeys(), galois: exact ? null : generator.createGaloisKeys(Int32Array.from([1])),
    temp: seal.CipherText(), temp2: seal.CipherText(),
  }
}

// Each: prepare once, then what is timed. Results go into ciphertexts that exist, as ours do.
function operation(name, w) {
  const e = w.evaluator
  switch (name) {
    case 'mul+relin+rescale':
      return () => {
        e.multiply(w.a, w.a, w.temp)
        e.relinearize(w.temp, w.relin, w.temp2)
        e.rescaleToNext(w.temp2, w.temp)
      }
    case 'bfv mul+relin':
      return () => {
        e.multiply(w.a, w.a, w.temp)
        e.relinearize(w.temp, w.relin, w.temp2)
      }
    case 'relinearise':
      e.multiply(w.a, w.a, w.temp)
      return () => e.relinearize(w.temp, w.relin, w.temp2)
    case 'rotate':
      return () => e.rotateVector(w.a, 1, w.galois, w.temp2)
    case 'encrypt, public key':
      return () => w.encryptor.encrypt(w.plain, w.temp2)
    case 'decrypt+decode':
      return () => {
        const plain = w.decryptor.decrypt(w.a)
        w.encoder.decode(plain)
        plain.delete()
      }
    default:
      return () => w.generator.createRelinKeys().delete()
  }
}

// ms of one run, whatever else the machine does: the CPU time of the process, or the clock's where that is less.
function time(run) {
  const start = performance.now(), cpu = process.cpuUsage()
  run()
  const used = process.cpuUsage(cpu)
  return Math.min(performance.now() - start, (used.user + used.system) / 1000)
}

function median(run) {
  const times = []
  run()
  for (const begun = performance.now(); times.length < 3 || (performance.now() - begun < 2000 && times.length < 51);) {
    times.push(time(run))
  }
  return times.sort((x, y) => x - y)[times.length >> 1]
}

async function main() {
  const seal = await SEAL()
  const records = fs.existsSync(out) ? JSON.parse(fs.readFileSync(out, 'utf8')) : []
  const mine = JSON.parse(fs.readFileSync(ours, 'utf8'))
  console.log('operation            parameters              Glovebox   node-seal  times faster   (ms, one thread)')
  for (const spec of WORLDS) {
    const w = world(seal, spec)
    for (const [name, parameters] of Object.entries(spec.rows)) {
      const ms = median(operation(name, w))
      const own = mine.find((r) => r.name === name && r.parameters === parameters && r.unit === 'ms' && r.threads === 1)
      const base = { parameters, isa: 'wasm', threads: 1 }
      records.push({ name, value: ms, unit: 'ms', ...base, peer: 'node-seal' })
      if (own) records.push({ name, value: ms / own.value, unit: 'times faster', ...base, peer: 'node-seal' })
      console.log(name.padEnd(20), parameters.padEnd(20), (own ? own.value.toPrecision(3) : '').padStart(11),
        ms.toPrecision(3).padStart(11), (own ? (ms / own.value).toPrecision(3) : '').padStart(13))
    }
    for (const part of Object.values(w)) if (part && part.delete) part.delete()
  }
  fs.writeFileSync(out, JSON.stringify(records, null, 1) + '\n')
}

main().catch((e) => {
  console.error(`seal.js: ${e.message || e}`)
  process.exit(1)
})
