(() => {
  const all = (selector) => document.querySelectorAll(selector);
  const count = (selector) => all(selector).length;
  const tab = document.querySelector('a[data-testid="AppTabBar_Profile_Link"]');
  return JSON.stringify({
    path: location.pathname,
    owner: tab ? tab.getAttribute('href') : null,
    column: count('[data-testid="primaryColumn"]'),
    cells: count('[data-testid="cellInnerDiv"]'),
    users: count('[data-testid="UserCell"]'),
    follows: count('[data-testid$="-follow"], [data-testid$="-unfollow"]'),
    waits: count('[role="progressbar"]'),
    empty: count('[data-testid="emptyState"]'),
    logins: count('input[autocomplete="username"], input[type="password"], [data-testid="loginButton"]'),
    challenges: count(
      'form[action*="/account/access"], #arkose, #arkose_iframe, iframe[src*="arkoselabs"], iframe[src*="captcha"], [class*="captcha"], #challenge-form, #challenge-stage, .cf-turnstile'
    ),
  });
})()
