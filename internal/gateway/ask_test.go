package gateway

import "testing"

func FuzzPrivacyAsk(f *testing.F) {
	f.Add([]byte(`{"userId":"u1","reason":"r"}`))
	f.Add([]byte(`{"regulationType":"SUPPRESS_WITH_DELETE","subjectType":"USER_ID","subjectIds":["a","b"]}`))
	f.Add([]byte(`{"subjectIds":[null]}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		ask, ids, err := parsePrivacyAsk(body)
		if err != nil {
			return
		}
		if len(ids) == 0 || len(ids) > maxSubjects || ask.By == "" {
			t.Fatalf("%q names %d users, by %q", body, len(ids), ask.By)
		}
		for _, id := range ids {
			if id == "" || len(id) > 500 {
				t.Fatalf("%q names %q", body, id)
			}
		}
	})
}
