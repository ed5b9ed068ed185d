package sandbox

import "strings"

// phraseBook is the writer's stock for one purpose. Placeholders: {name} and
// {item} (merge fields), {brand}; phrases whose placeholder cannot be filled
// are left out. No phrase states a number, a price or a deadline.
type phraseBook struct {
	subjects, preheaders, headlines []string
	openers, middles, closers       []string
	actions, shorts                 []string
}

var (
	offerSubjects = []string{
		"For you: {offer}", "A small thank-you: {offer}", "Hi {name}, this is for you: {offer}", "A little something: {offer}",
	}
	offerPreheaders = []string{
		"Use {code} at checkout.", "A thank-you from {brand} is inside.", "Something for you is inside.",
	}
	offerParagraphs = []string{
		"To make the choice easier: {offer}. Enter {code} at checkout.",
		"We would like to give you something back: {offer}. Your code is {code}.",
		"A thank-you from us: {offer}, with the code {code} at checkout.",
	}
	offerShorts    = []string{"For you: {offer}, code {code}.", "{offer} with {code}."}
	codelessOffers = []string{"As a small thank-you: {offer}.", "For you: {offer}.", "To make the choice easier: {offer}."}
)

// phrasesFor chooses the book by the words of slot and goal.
func phrasesFor(b copyBrief) phraseBook {
	about := strings.ToLower(b.Slot + " " + b.Goal)
	for _, c := range []struct {
		words []string
		book  phraseBook
	}{
		{[]string{"cart", "basket", "checkout"}, cartPhrases},
		{[]string{"welcome", "sign-up", "signup", "onboard"}, welcomePhrases},
		{[]string{"winback", "win-back", "win back", "lapsed", "come back", "return"}, winbackPhrases},
		{[]string{"risk", "quiet", "drift", "churn"}, riskPhrases},
	} {
		for _, w := range c.words {
			if strings.Contains(about, w) {
				return c.book
			}
		}
	}
	return generalPhrases
}

var cartPhrases = phraseBook{
	subjects: []string{
		"You left something in your basket", "Hi {name}, your basket is still here", "We kept your basket for you", "Still thinking about {item}?",
	},
	preheaders: []string{"Everything is as you left it.", "Pick up where you stopped.", "Your choice is one click away."},
	headlines:  []string{"Your basket is waiting", "Pick up where you left off", "Still a good choice"},
	openers: []string{
		"Hi {name}, you put a few good things in your basket and then life happened.",
		"Hello {name}, we noticed that you did not finish your order.",
		"Hello, your basket is still as you left it.",
		"Hi {name}, {item} is still in your basket.",
	},
	middles: []string{
		"We kept everything together, so finishing takes only a moment.",
		"If something held you up, just reply to this message and a person will help.",
		"Have another look, change what you like, and check out when it suits you.",
	},
	closers: []string{"Happy browsing.", "We are here if you have a question.", "See you soon."},
	actions: []string{"Return to your basket", "Finish your order", "See your basket"},
	shorts:  []string{"Your basket is still here.", "Hi {name}, your basket is waiting for you.", "Pick up where you left off."},
}

var welcomePhrases = phraseBook{
	subjects: []string{
		"Welcome to {brand}", "Hi {name}, good to have you here", "Welcome, let us show you around", "Hello {name}, and welcome",
	},
	preheaders: []string{"A short tour and where to begin.", "What we do, and why.", "A few things to get you started."},
	headlines:  []string{"Welcome", "Good to meet you", "Let us show you around"},
	openers: []string{
		"Hi {name}, thank you for joining us.", "Hello {name}, it is good to have you here.", "Hello, and thank you for signing up.",
	},
	middles: []string{
		"We choose everything we sell with care and use it ourselves. The best place to begin is what other customers come back for.",
		"You will hear from us when there is something worth knowing, and never just to fill your inbox.",
		"Have a look around, and if you cannot find what you need, reply to this message: a person reads it.",
	},
	closers: []string{"Enjoy looking around.", "Welcome again.", "We hope you find something you love."},
	actions: []string{"Look around", "See the favourites", "Start here"},
	shorts:  []string{"Hi {name}, good to have you here.", "Welcome. Here is where to begin.", "Thank you for joining us."},
}

var winbackPhrases = phraseBook{
	subjects: []string{
		"Hi {name}, it has been a while", "We have missed you", "Hi {name}, a lot is new since you were here", "Remember {item}?",
	},
	preheaders: []string{"See what is new since your last visit.", "A few things we think you will like.", "We would love to see you again."},
	headlines:  []string{"It has been a while", "We would love to see you again", "A lot is new"},
	openers: []string{
		"Hi {name}, it has been a while since your last order, and we have thought of you.",
		"Hello {name}, we noticed you have not been around lately.",
		"Hello, it has been a while since we saw you.",
		"Hi {name}, we hope you still enjoy {item}.",
	},
	middles: []string{
		"Since then we have added new things and improved old favourites. We think a few of them would suit you.",
		"Much of what you liked is still here, and there is plenty that you have not seen yet.",
		"If something was not right last time, tell us: reply to this message and a person will put it right.",
	},
	closers: []string{"We hope to see you again.", "Come and have a look.", "Whenever you are ready, we are here."},
	actions: []string{"See what is new", "Come back and look", "Have a look"},
	shorts:  []string{"Hi {name}, it has been a while. See what is new.", "We have missed you. Come and have a look.", "A lot is new since your last visit."},
}

var riskPhrases = phraseBook{
	subjects: []string{
		"Hi {name}, time for something new?", "A few ideas for you", "New things we think you will like", "How is {item}?",
	},
	preheaders: []string{"Chosen with your last order in mind.", "A short list, picked with care.", "Have a look when you have a moment."},
	headlines:  []string{"A few ideas for you", "Time for something new", "Picked with care"},
	openers: []string{
		"Hi {name}, we hope you are enjoying {item}.", "Hello {name}, we have put together a few ideas for you.", "Hello, here are a few things we think you will like.",
	},
	middles: []string{
		"Customers with a taste like yours have been coming back for these.",
		"Some are new, some are old favourites, all of them are things we use ourselves.",
		"Take your time, and reply to this message if you would like a recommendation from a person.",
	},
	closers: []string{"Enjoy looking around.", "See you soon.", "We are here if you have a question."},
	actions: []string{"See the ideas", "Have a look", "Show me"},
	shorts:  []string{"Hi {name}, a few ideas for you.", "New things we think you will like.", "Picked with care, for you."},
}

var generalPhrases = phraseBook{
	subjects:   []string{"Something we think you will like", "News from {brand}", "Hi {name}, have you seen this?", "A look at what is new"},
	preheaders: []string{"A short note from us.", "Have a look when you have a moment.", "New, and worth a look."},
	headlines:  []string{"What is new", "Worth a look", "A short note from us"},
	openers:    []string{"Hi {name}, here is a short note from us.", "Hello {name}, there is something new to show you.", "Hello, here is what is new."},
	middles: []string{
		"We have been working on a few things that we are proud of, and we would like you to see them first.",
		"There are new arrivals and a few old favourites that are back.",
		"Reply to this message if you would like to know more: a person reads it.",
	},
	closers: []string{"Enjoy looking around.", "See you soon.", "Thank you for reading."},
	actions: []string{"Have a look", "See what is new", "Show me"},
	shorts:  []string{"Hi {name}, have a look at what is new.", "There is something new to see.", "A short note from us."},
}
