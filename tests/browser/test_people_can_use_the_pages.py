import re

import pytest
from playwright.async_api import Page, expect

from tests.support.browser import World
from tests.support.issuer_pages import PASSWORD, USERNAME, told

pytestmark = pytest.mark.real

PHONE = {"viewport": {"width": 360, "height": 640}, "has_touch": True, "is_mobile": True}


async def sign_in(page: Page, password: str = PASSWORD) -> None:
    await page.get_by_label("Username").fill(USERNAME)
    await page.get_by_label("Password").fill(password)
    await page.locator("#sign-in").click()


async def focused(page: Page) -> str:
    name: str = await page.evaluate("document.activeElement.id")
    return name


async def test_the_keyboard_is_enough(world: World) -> None:
    """Sign-in and consent need no pointer, and the focus goes where the eye expects it."""
    async with world.page() as page:
        await page.goto(world.request())
        assert await focused(page) == "username"
        await page.keyboard.type(USERNAME)
        await page.keyboard.press("Tab")
        assert await focused(page) == "password"
        await page.keyboard.type(PASSWORD)
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("heading")).to_have_text("Allow Corner Shop?")
        order = []
        for _ in range(3):
            await page.keyboard.press("Tab")
            order.append(await focused(page))
        assert order == ["allow", "deny", "switch"]
        for _ in range(2):
            await page.keyboard.press("Shift+Tab")
        await page.keyboard.press("Enter")
        await page.wait_for_url(re.compile(r"/callback\?code="))
        await expect(page.get_by_role("heading")).to_have_text("Arrived")
    assert world.complaints == []


async def test_focus_can_be_seen(world: World) -> None:
    """Whatever has the focus shows it by an outline."""
    async with world.page() as page:
        await page.goto(world.request())
        for _ in range(4):
            style = await page.evaluate(
                "(({outlineStyle, outlineWidth}) => outlineStyle + ' ' + outlineWidth)"
                "(getComputedStyle(document.activeElement))"
            )
            assert style == "solid 3px"
            if await focused(page) == "cancel":
                break
            await page.keyboard.press("Tab")
        else:
            pytest.fail("the last button was never reached")


async def test_nothing_needs_scripts(world: World) -> None:
    """With JavaScript switched off everything works the same."""
    async with world.page(java_script_enabled=False) as page:
        await page.goto(world.request())
        await sign_in(page)
        await page.locator("#allow").click()
        await page.wait_for_url(re.compile(r"/callback\?code="))
    assert world.complaints == []


async def test_an_error_is_tied_to_its_fields(world: World) -> None:
    """A wrong password is said in text, as an alert, and as the description of both fields."""
    async with world.page() as page:
        await page.goto(world.request())
        await sign_in(page, "a wrong password")
        await expect(page.get_by_role("alert")).to_contain_text("do not match")
        for label in ("Username", "Password"):
            await expect(page.get_by_label(label)).to_have_accessible_description(
                re.compile("do not match")
            )
            await expect(page.get_by_label(label)).to_have_attribute("aria-invalid", "true")
        await expect(page.get_by_label("Username")).to_have_value(USERNAME)
        assert await focused(page) == "password"
    # Chromium's console repeats every 4xx of a document; nothing else may stand there.
    assert all("status of 403" in complaint for complaint in world.complaints)


async def test_the_browser_follows_the_client_onward(world: World) -> None:
    """A callback that redirects to another registered origin is not stopped by form-action."""
    async with world.page() as page:
        await page.goto(world.request(redirect_uri=f"{world.shop}/onward"))
        await sign_in(page)
        await page.locator("#allow").click()
        await page.wait_for_url(f"{world.home}/callback")
    assert world.complaints == []


async def test_denying_and_cancelling_arrive(world: World) -> None:
    """Both ways of saying no lead back to the client."""
    async with world.page() as page:
        await page.goto(world.request())
        await page.locator("#cancel").click()
        await page.wait_for_url(re.compile(r"/callback\?error=access_denied"))
        await page.goto(world.request())
        await sign_in(page)
        await page.locator("#deny").click()
        await page.wait_for_url(re.compile(r"/callback\?error=access_denied"))
    assert world.complaints == []


async def test_signing_out_is_one_button(world: World) -> None:
    """The question names who is signed in; the button ends it and leads back."""
    async with world.page() as page:
        await page.goto(world.request())
        await sign_in(page)
        await page.goto(
            f"{world.url}/logout?client_id=web&post_logout_redirect_uri={world.shop}/callback"
        )
        await expect(page.get_by_role("main")).to_contain_text(USERNAME)
        await page.locator("#sign-out").click()
        await page.wait_for_url(f"{world.shop}/callback")
        assert len(await told(world.issuer.pool, "session.ended")) == 1
        await page.goto(f"{world.url}/logout")
        await expect(page.get_by_role("heading")).to_have_text("You are signed out")
    assert world.complaints == []


async def test_a_form_on_another_site_signs_nobody_in(world: World) -> None:
    """A real browser's cross-site form never reaches a decision."""
    async with world.page() as page:
        await page.goto(world.request())
        await page.goto(f"{world.shop.replace('127.0.0.1', 'localhost')}/callback")
        await page.set_content(
            f'<form method="post" action="{world.url}/sign-in">'
            f'<input name="username" value="{USERNAME}"><input name="password" value="{PASSWORD}">'
            "<button>Win a prize</button></form>"
        )
        await page.get_by_role("button").click()
        await expect(page.get_by_role("heading")).to_have_text("This page is no longer valid")
    assert await told(world.issuer.pool, "login.succeeded") == []


async def test_no_page_can_be_framed(world: World) -> None:
    """Another site that frames us shows nothing of us."""
    async with world.page() as page:
        await page.goto(f"{world.shop}/callback")
        await page.set_content(f'<iframe src="{world.url}/logout"></iframe>')
        await expect(page.frame_locator("iframe").get_by_role("heading")).to_have_count(0)
    assert any("frame" in complaint for complaint in world.complaints)


async def narrow_pages(world: World, page: Page) -> None:
    """Visit every kind of page, and look at each."""
    await page.goto(world.request())
    await looks_right(page)
    await sign_in(page, "a wrong password")
    await looks_right(page)
    await sign_in(page)
    await looks_right(page)
    await page.goto(world.request(prompt="login"))
    await looks_right(page)
    await page.goto(f"{world.url}/logout")
    await looks_right(page)
    await page.goto(world.request(client_id="unknown"))
    await looks_right(page)


async def looks_right(page: Page) -> None:
    assert await page.evaluate("document.documentElement.scrollWidth") <= 360
    small = await page.evaluate(
        """[...document.querySelectorAll('button, input:not([type=hidden])')]
        .map(each => each.getBoundingClientRect())
        .filter(box => box.height < 44 || box.width < 44).length"""
    )
    assert small == 0
    unlabelled = await page.evaluate(
        """[...document.querySelectorAll('input:not([type=hidden])')]
        .filter(each => each.labels.length !== 1).length"""
    )
    assert unlabelled == 0
    assert await page.evaluate("document.documentElement.lang") == "en"
    assert await page.evaluate("document.querySelectorAll('h1').length") == 1
    faint = await page.evaluate(CONTRAST)
    assert faint == []


CONTRAST = r"""() => {
  const channels = color => color.match(/[\d.]+/g).map(Number);
  const light = ([r, g, b]) => [r, g, b].map(v => v / 255)
    .map(v => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, n) => sum + v * [0.2126, 0.7152, 0.0722][n], 0);
  const ground = each => {
    for (let at = each; at; at = at.parentElement) {
      const color = channels(getComputedStyle(at).backgroundColor);
      if (color.length === 3 || color[3] === 1) return color;
    }
    return [255, 255, 255];
  };
  const faint = [];
  for (const each of document.querySelectorAll('main *')) {
    const own = [...each.childNodes].some(n => n.nodeType === 3 && n.textContent.trim());
    if (!own) continue;
    const [a, b] = [light(channels(getComputedStyle(each).color)), light(ground(each))];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < 4.5) faint.push(`${each.tagName} ${each.className} ${ratio.toFixed(2)}`);
  }
  return faint;
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_a_phone_is_wide_enough(world: World, scheme: str) -> None:
    """At 360 pixels nothing scrolls sideways, targets fit a thumb, and all text can be read."""
    async with world.page(color_scheme=scheme, **PHONE) as page:
        await narrow_pages(world, page)


async def test_long_names_break_nothing(world: World) -> None:
    """A name without a space, as long as anybody registers one, stays inside the card."""
    await world.issuer.pool.execute("UPDATE account SET name = repeat('W', 200)")
    async with world.page(**PHONE) as page:
        await page.goto(world.request(login_hint="W" * 128))
        await looks_right(page)
        await sign_in(page)
        await looks_right(page)
