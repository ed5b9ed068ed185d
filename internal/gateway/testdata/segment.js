// Sends events through Segment's own library: its batching, its retries, its ids.
// argv: host, write key, number of events. Writes one line per event that the
// library says was delivered, and one per error.
const { Analytics } = require('@segment/analytics-node')

const [host, writeKey, total] = [process.argv[2], process.argv[3], Number(process.argv[4])]
const analytics = new Analytics({ host, writeKey, flushAt: 50, flushInterval: 100, maxRetries: 100, httpRequestTimeout: 5000 })
analytics.on('error', (err) => console.log('error ' + (err.reason && err.reason.message || err.code)))

async function main() {
  for (let i = 0; i < total; i++) {
    analytics.track({ userId: 'shopper-' + (i % 500), event: 'Looked Around', properties: { n: i } }, (err, ctx) => {
      console.log(err ? 'failed ' + err : 'sent ' + ctx.event.messageId)
    })
    if (i % 100 === 99) await new Promise((next) => setTimeout(next, 60))
  }
  await analytics.closeAndFlush({ timeout: 120000 })
}
main()
