package cli_test

import (
	"fmt"
	"strings"
	"time"
)

// bringIn imports n customers called prefix-1, prefix-2, ... who consented to
// e-mail, each with two orders, the last of them daysAgo.
func (tm terminal) bringIn(prefix string, n, daysAgo int) {
	tm.t.Helper()
	var customers, orders strings.Builder
	customers.WriteString("external_id,email,first_name,country,time_zone,created_at,consent_email,consent_at,consent_source\n")
	orders.WriteString("order_id,external_id,at,total,currency,items,first_item\n")
	stamp := func(days int) string { return time.Now().AddDate(0, 0, -days).UTC().Format(time.RFC3339) }
	for i := 1; i <= n; i++ {
		id := fmt.Sprintf("%s-%d", prefix, i)
		fmt.Fprintf(&customers, "%s,%s@example.com,Ada,US,America/New_York,%s,granted,%s,checkout\n", id, id, stamp(daysAgo+200), stamp(200))
		for k := range 2 {
			fmt.Fprintf(&orders, "%s-o%d,%s,%s,%d.50,USD,1,Walnut board\n", id, k, id, stamp(daysAgo+40*k), 40+10*k)
		}
	}
	tm.run("import", "customers", tm.file(prefix+"-customers.csv", customers.String()), "--strict").ok().line("new", fmt.Sprint(n))
	tm.run("import", "orders", tm.file(prefix+"-orders.csv", orders.String()), "--strict").ok().line("new", fmt.Sprint(2*n))
}
