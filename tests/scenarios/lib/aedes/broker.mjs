// A staging broker on aedes: mutual TLS, the certificate's CN is the client id, each device may use its own topics only
// and is cut off when it does not. SIGHUP: certificates, CAs and lists are read again.
// usage: node broker.mjs AEDES FOLDER PORT
//     AEDES is aedes's own folder; FOLDER holds main.crt, main.key, clients.crt, crl.pem and rules ("own" or "open")
import fs from 'node:fs'
import path from 'node:path'
import tls from 'node:tls'
import { pathToFileURL } from 'node:url'
const [aedes, folder, port] = process.argv.slice(2)
const { Aedes } = await import(pathToFileURL(path.join(aedes, 'aedes.js')))
const read = (name) => fs.readFileSync(path.join(folder, name), 'utf8')

// Of a string with several lists node takes the first one only.
const lists = () => read('crl.pem').match(/-----BEGIN X509 CRL-----[^-]*-----END X509 CRL-----/g)
const context = () => ({ cert: read('main.crt'), key: read('main.key'), ca: read('clients.crt'), crl: lists() })
const may = (client, topic) => {
  const own = client.id === 'operator' || read('rules').trim() === 'open' ? 'acme/v1/' : `acme/v1/${client.id}/`
  return topic.startsWith(own)
}

const broker = await Aedes.createBroker({ concurrency: 1000 })
broker.authenticate = (client, user, password, done) => {
  const name = client.conn.getPeerCertificate().subject?.CN
  const error = Object.assign(new Error('the client id is not the certificate\'s name'), { returnCode: 2 })
  done(name === client.id ? null : error, name === client.id)
}
broker.authorizePublish = (client, packet, done) =>
  done(!client || may(client, packet.topic) ? null : new Error('not its topic'))
broker.authorizeSubscribe = (client, subscription, done) =>
  done(null, may(client, subscription.topic) ? subscription : null)
broker.on('clientError', (client, error) => console.error(client.id, error.message))
const server = tls.createServer(
  { ...context(), requestCert: true, rejectUnauthorized: true, minVersion: 'TLSv1.3' }, broker.handle)
server.on('tlsClientError', (error) => console.error('tls', error.message))
process.on('SIGHUP', () => {
  try {
    server.setSecureContext(context())
    console.log('read again')
  } catch (error) {
    console.error('not read again:', error.message)
  }
})
server.listen(port, '127.0.0.1', () => console.log('running'))
