package cli

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/spf13/cobra"
	enums "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/operatorservice/v1"
	"go.temporal.io/sdk/client"

	"touchstone/internal/config"
	"touchstone/internal/lifecycle"
	"touchstone/internal/postgres"
	"touchstone/internal/telemetry"
	"touchstone/workflows"
)

// migrated is what a migration came to.
type migrated struct {
	Database   string   `json:"database"`
	Attributes []string `json:"search_attributes_added"`
	Refused    string   `json:"refused,omitempty"`
}

func (a *app) migrate() *cobra.Command {
	var databaseOnly bool
	command := &cobra.Command{
		Use:   "migrate",
		Short: "Bring the database and Temporal's search attributes up to date",
		Long: "Migrates the database schema, and adds the search attributes by which the Temporal UI finds\n" +
			"journeys, campaigns, customers and open reviews. Repeating it changes nothing. Run it before\n" +
			"workers of a new release.",
		Example: "  DATABASE_URL=postgres://... touchstone migrate",
		Args:    takes(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx := cmd.Context()
			c, err := a.loadConfig()
			if err != nil {
				return err
			}
			if err := postgres.Migrate(ctx, c.DatabaseURL); err != nil {
				return err
			}
			result := migrated{Database: "up to date", Attributes: []string{}}
			if !databaseOnly {
				if err := a.searchAttributes(ctx, c, &result); err != nil {
					return err
				}
			}
			return a.print(result, func() {
				a.say("database           up to date")
				switch {
				case result.Refused != "":
					a.say("search attributes  %s", wrap(result.Refused, 19))
				case len(result.Attributes) > 0:
					a.say("search attributes  added %s", strings.Join(result.Attributes, ", "))
				case !databaseOnly:
					a.say("search attributes  up to date")
				}
			})
		},
	}
	command.Flags().BoolVar(&databaseOnly, "database-only", false, "leave Temporal alone")
	return command
}

// wanted are the search attributes the workflows set.
var wanted = map[string]enums.IndexedValueType{
	workflows.AttributeJourney.GetName():  enums.INDEXED_VALUE_TYPE_KEYWORD,
	workflows.AttributeCampaign.GetName(): enums.INDEXED_VALUE_TYPE_KEYWORD,
	workflows.AttributeCustomer.GetName(): enums.INDEXED_VALUE_TYPE_KEYWORD,
	workflows.AttributeReview.GetName():   enums.INDEXED_VALUE_TYPE_KEYWORD,
	workflows.AttributeDueAt.GetName():    enums.INDEXED_VALUE_TYPE_DATETIME,
}

// searchAttributes adds those that are missing. A cluster that manages them
// elsewhere (Temporal Cloud) refuses; that is said, and is no failure.
func (a *app) searchAttributes(ctx context.Context, c config.Config, result *migrated) error {
	log, err := telemetry.NewLogger(a.Err, a.level(c), c.LogFormat)
	if err != nil {
		return lifecycle.Errorf(lifecycle.Invalid, "%w", err)
	}
	connection, err := dialTemporal(ctx, c, prometheus.NewRegistry(), log, false)
	if err != nil {
		return err
	}
	defer connection.Close()
	missing, err := missingAttributes(ctx, connection, c.Temporal.Namespace)
	if err == nil && len(missing) == 0 {
		return nil
	}
	if err == nil {
		_, err = connection.OperatorService().AddSearchAttributes(ctx, &operatorservice.AddSearchAttributesRequest{
			Namespace: c.Temporal.Namespace, SearchAttributes: missing,
		})
	}
	if err != nil {
		var list []string
		for _, name := range slices.Sorted(maps.Keys(wanted)) {
			list = append(list, name+" ("+wanted[name].String()+")")
		}
		result.Refused = "the cluster did not let us add them (" + err.Error() + "): on Temporal Cloud add them to the namespace " +
			"yourself, with tcld or in its UI: " + strings.Join(list, ", ")
		return nil
	}
	result.Attributes = slices.Sorted(maps.Keys(missing))
	return nil
}

func missingAttributes(ctx context.Context, connection client.Client, namespace string) (map[string]enums.IndexedValueType, error) {
	have, err := connection.OperatorService().ListSearchAttributes(ctx, &operatorservice.ListSearchAttributesRequest{Namespace: namespace})
	if err != nil {
		return nil, err
	}
	missing := map[string]enums.IndexedValueType{}
	for name, kind := range wanted {
		if _, known := have.GetCustomAttributes()[name]; !known {
			missing[name] = kind
		}
	}
	return missing, nil
}
