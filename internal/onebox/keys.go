package onebox

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
)

// keys are the secrets of a box, drawn once per data folder.
type keys struct {
	WriteKey    string `json:"write_key"`
	LinkKey     string `json:"link_key"`
	SendGridKey string `json:"sendgrid_key"`
	OpenAIKey   string `json:"openai_key"`
	PrivacyKey  string `json:"privacy_key"`
}

// loadKeys reads the keys of a data folder, or draws and keeps them. Without a
// file they are drawn anew.
func loadKeys(file string) (keys, error) {
	if file != "" {
		source, err := os.ReadFile(file)
		if err == nil {
			var k keys
			if err := json.Unmarshal(source, &k); err != nil {
				return k, fmt.Errorf("%s is damaged, remove it: %w", file, err)
			}
			if k.PrivacyKey == "" { // drawn before there was one
				k.PrivacyKey = secret()
				return k, k.save(file)
			}
			return k, nil
		}
		if !errors.Is(err, os.ErrNotExist) {
			return keys{}, err
		}
	}
	k := keys{
		WriteKey: "wk" + secret(), LinkKey: secret(), SendGridKey: "SG." + secret(), OpenAIKey: "sk-" + secret(), PrivacyKey: secret(),
	}
	if file == "" {
		return k, nil
	}
	return k, k.save(file)
}

func (k keys) save(file string) error {
	source, err := json.MarshalIndent(k, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(file, source, 0o600)
}

func secret() string {
	b := make([]byte, 24)
	rand.Read(b) // never fails, by its contract
	return hex.EncodeToString(b)
}
